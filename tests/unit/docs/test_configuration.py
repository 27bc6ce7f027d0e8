"""docs/configuration.md names every setting, with the default that the code has."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from pipeline.config import TRAIN_NAMES, PipelineConfig
from pipeline.settings import known_names
from pipeline.tasks import get_task, task_names

_DOC = pathlib.Path(__file__).resolve().parents[3] / "docs" / "configuration.md"
_SECTIONS = re.compile(
  r"^## `(\w+)`(?: of the (\w+) task)?.*?$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL
)
_ROW = re.compile(r"^\| `([\w.]+)` \| ([^|]*) \|(.*)\|$", re.MULTILINE)


def documented(task: str) -> dict[str, dict[str, str]]:
  """Section to name to default, as the tables that hold for a task have them."""
  found: dict[str, dict[str, str]] = {}
  for section, owner, text in _SECTIONS.findall(_DOC.read_text(encoding="utf-8")):
    if owner in ("", task):
      rows = {
        name: default
        for name, default, rest in _ROW.findall(text)
        # Gates are in one table for all tasks; their meaning starts with the task's name.
        if section != "gates" or rest.strip().startswith((f"{task}:", "every task:"))
      }
      found.setdefault(section, {}).update(rows)
  return found


@pytest.mark.parametrize("task", task_names())
def test_every_name_is_documented_and_no_other(task):
  names = {section: sorted(found) for section, found in documented(task).items()}
  assert names == {section: sorted(found) for section, found in known_names(get_task(task)).items()}


@pytest.mark.parametrize("task", task_names())
def test_documented_defaults_are_those_of_the_code(task):
  known = get_task(task)
  config = PipelineConfig(task=task, data_path="", workspace="")
  defaults = {
    section: getattr(config, section).model_dump()
    for section in ("train", "tune", "push", "kubeflow", "airflow", "metadata")
  }
  defaults["data"] = {**config.data.model_dump(exclude={"options"}), **known.data_options}
  defaults["beam"] = {**config.beam.model_dump(), "options": []}
  defaults["model"] = {n: v for n, v in known.hyperparameters.items() if n not in TRAIN_NAMES}
  if known.decoding:
    defaults["decode"] = dict(known.decoding)
  defaults["gates"] = {
    name: "none" if value is None else value
    for gate in known.gates
    for name, value in (
      (gate.metric, gate.bound),
      (f"{gate.metric}.max_regression", gate.max_regression),
    )
  } | config.gates.model_dump()
  shown = {
    section: {name: yaml.safe_load(default) for name, default in rows.items()}
    for section, rows in documented(task).items()
  }
  assert shown == defaults


def test_tiny_values_of_the_images_model_are_those_of_the_code():
  known = get_task("images")
  text = next(
    t for s, o, t in _SECTIONS.findall(_DOC.read_text("utf-8")) if (s, o) == ("model", "images")
  )
  shown = {
    name: yaml.safe_load(tiny)
    for name, _, rest in _ROW.findall(text)
    if (tiny := rest.split("|")[0].strip())
  }
  assert shown == {n: v for n, v in known.tiny.items() if n not in TRAIN_NAMES}
