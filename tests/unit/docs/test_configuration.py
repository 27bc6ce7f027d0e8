"""docs/configuration.md has every setting as `dlpipe settings` does, with default and meaning."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from pipeline.settings.known_settings import known_settings
from pipeline.tasks import get_task, task_names

_DOC = pathlib.Path(__file__).resolve().parents[3] / "docs" / "configuration.md"
_SECTIONS = re.compile(
  r"^## `(\w+)`(?: of the (\w+) task)?.*?$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL
)
_ROW = re.compile(r"^\| `([\w.]+)` \| (.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def documented(task: str) -> dict[str, tuple[str, str, str]]:
  """Full name to default, tiny value and meaning, as the tables that hold for a task have them."""
  found: dict[str, tuple[str, str, str]] = {}
  for section, owner, text in _SECTIONS.findall(_DOC.read_text(encoding="utf-8")):
    if owner not in ("", task):
      continue
    for name, rest in _ROW.findall(text):
      default, *tiny, meaning = (part.strip() for part in rest.split("|"))
      # Gates are in one table for all tasks; their meaning starts with whose they are.
      if section == "gates":
        whose, _, meaning = meaning.partition(": ")
        if not {task, "every task"} & set(whose.split(", ")):
          continue
      found[f"{section}.{name}"] = (default, "".join(tiny), _LINK.sub(r"docs/\1", meaning))
  return found


@pytest.mark.parametrize("task", task_names())
def test_every_setting_is_documented_and_no_other(task):
  assert sorted(documented(task)) == sorted(each.key for each in known_settings(get_task(task)))


@pytest.mark.parametrize("task", task_names())
def test_what_is_documented_is_what_the_code_has(task):
  shown = documented(task)
  for setting in known_settings(get_task(task)):
    default, tiny, meaning = shown[setting.key]
    assert meaning == setting.meaning, setting.key
    if setting.section == "train" and default == "null":
      continue  # the task's own; the page has them below the table
    # YAML 1.1 reads a date where the code has its text.
    assert yaml.safe_load(default) == setting.default or default == setting.default, setting.key
    if setting.section == "model":
      assert (yaml.safe_load(tiny) if tiny else None) == setting.tiny, setting.key


@pytest.mark.parametrize("task", task_names())
def test_the_tasks_own_training_values_are_documented(task):
  text = _DOC.read_text(encoding="utf-8")
  [sentence] = re.findall(rf"^- {task}: (.*)$", text, re.MULTILINE)
  own = {each.name: each for each in known_settings(get_task(task)) if each.section == "train"}
  for name in ("epochs", "batch_size", "learning_rate"):
    values = f"`{name}` {own[name].default}"
    values += f" (tiny {own[name].tiny})" if own[name].tiny is not None else ""
    assert values in sentence
