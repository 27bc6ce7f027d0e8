"""Runs that are prepared as `dlpipe run` prepares them, and the pipelines drawn for them."""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

import pytest

from pipeline.api.inputs import Inputs, prepare
from pipeline.settings.known_settings import known_settings
from pipeline.tasks import get_task

SHIPPED = ("images", "sentiment", "translation")


def pytest_generate_tests(metafunc):
  """Gives a test of one setting every setting of the sections that its module is about.

  They come from the settings' own descriptions, to which a test holds docs/configuration.md; so a
  new setting without a check fails.
  """
  if "setting" not in metafunc.fixturenames:
    return
  sections = metafunc.module.SECTIONS
  rows = [
    (name, each)
    for name in getattr(metafunc.module, "TASKS", SHIPPED)
    for each in known_settings(get_task(name))
    if sections is None or each.section in sections
  ]
  metafunc.parametrize(
    ("task_name", "setting"), rows, ids=[f"{name}-{each.key}" for name, each in rows]
  )


@pytest.fixture(scope="session", autouse=True)
def fingerprints_once():
  """Reads the code, which stays as it is, once and not for each pipeline that is drawn."""
  from pipeline import assembly

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(assembly, "code_fingerprint", functools.cache(assembly.code_fingerprint))
    yield


@pytest.fixture(scope="session")
def shipped_data(tmp_path_factory):
  """The tasks' sample data, by task."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    return {name: get_task(name).shipped_data() for name in SHIPPED}


@pytest.fixture
def run(tmp_path, shipped_data):
  """Returns a function from a task's name and `--set` items to a run that could start."""

  def prepared(
    task: str,
    *settings: str,
    data: str | pathlib.Path | None = None,
    tiny: bool = False,
    orchestrator: str | None = None,
  ) -> Inputs:
    return prepare(
      task=task,
      data=str(data) if data is not None else shipped_data[task],
      workspace=str(tmp_path / "workspace"),
      config_file=None,
      settings=settings,
      tiny=tiny,
      beam=None,
      orchestrator=orchestrator,
    )

  return prepared


@pytest.fixture(scope="session")
def drawn():
  """Returns a function from a run to its pipeline: node to what the node is given."""

  def draw(inputs: Inputs) -> dict[str, dict[str, Any]]:
    from pipeline.assembly import create_pipeline

    pipeline = create_pipeline(
      inputs.task, inputs.config, source=inputs.source, params=inputs.params
    )
    found = {}
    for node in pipeline.components:
      given = dict(node.exec_properties)
      if isinstance(given.get("custom_config"), str):
        given["custom_config"] = json.loads(given["custom_config"])
      found[node.id] = given
    return found

  return draw
