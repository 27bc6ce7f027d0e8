"""Forked processes: what they start from, and how they end, in words."""

import gc

import pytest

from pipeline.execution import forks


@pytest.mark.parametrize(
  ("code", "said"),
  [
    (0, "ended with code 0"),
    (3, "ended with code 3"),
    (-9, "was killed by signal 9 (SIGKILL), as where memory runs out"),
    (-11, "was killed by signal 11 (SIGSEGV)"),
    (-35, "was killed by signal 35"),  # real-time signals have no names
  ],
)
def test_how_a_process_ended_is_said(code, said):
  assert forks.ending(code) == said


def test_forks_look_at_nothing_imported_for_garbage(monkeypatch):
  monkeypatch.setattr(forks, "_MODULES", ())  # they may be here already
  gc.unfreeze()
  forks.warm_up()
  assert gc.get_freeze_count() > 1000
