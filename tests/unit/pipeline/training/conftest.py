"""Trainings that end without the export, which takes as long as they do."""

from __future__ import annotations

import pathlib

import pytest

from pipeline.training.export import signatures


class _Unasked:
  """Stands in for an exported module; answers with nothing."""

  def predict(self, values):
    return {}

  def explain(self, values):
    return {}


@pytest.fixture
def without_export(monkeypatch):
  """Makes `run_fn` export an empty folder, in tests of what it learns and records."""

  def export(path, **_):
    pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    return _Unasked()

  monkeypatch.setattr(signatures, "export", export)
