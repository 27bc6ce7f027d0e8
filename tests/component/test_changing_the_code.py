"""docs/changing-the-code.md: its jobs, done in a copy of the repository, as they stand there."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_FOLDERS = ("components", "data", "dlpipe", "pipeline", "schemas", "serving")
_PAGE = (_REPOSITORY / "docs" / "changing-the-code.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIFF = re.compile(r"^In `([\w/]+\.py)`.*?:\n\n```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
  """A copy of the repository in which the jobs of the page are done; a function to run dlpipe."""
  root = tmp_path_factory.mktemp("copy")
  for name in _FOLDERS:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_REPOSITORY / name, root / name, ignore=ignored)
  for name, text in _FILE.findall(_PAGE):
    path = root / name
    assert not path.exists()
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
  for name, diff in _DIFF.findall(_PAGE):
    _apply(root / name, diff)

  def run(*arguments, code=0, **environ):
    done = subprocess.run(
      [sys.executable, "-m", "dlpipe", *map(str, arguments)],
      cwd=root,
      env={**os.environ, "PYTHONPATH": str(root), "DLPIPE_WORKSPACE": str(root / "ws"), **environ},
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done

  run.root = root
  return run


def _apply(path, diff):
  """Replaces each run of `-` lines, which stand once in the file, by the `+` lines after it."""
  text = path.read_text(encoding="utf-8")
  changes = re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", diff, re.MULTILINE)
  assert changes
  for old, new in changes:
    before, after = (re.sub(r"^[-+]", "", each, flags=re.MULTILINE)[:-1] for each in (old, new))
    assert text.count(before) == 1, before
    text = text.replace(before, after)
  path.write_text(text, encoding="utf-8")


def test_a_source_layout_is_a_module_and_a_line(changed):
  file = changed.root / "texts.json"
  words = ["fine", "good", "great", "warm", "kind", "bright", "sunny", "calm", "sweet", "lovely"]
  texts = {
    "good": [f"a {one} and {other} day" for one in words for other in words],
    "bad": [f"no {one} and never {other} evening" for one in words for other in words],
  }
  texts["bad"].append("")
  file.write_text(json.dumps(texts), encoding="utf-8")
  found = json.loads(
    changed("check", "sentiment", "--data", file, "--json").stdout.splitlines()[-1]
  )
  assert sum(found["examples"][split] for split in ("train", "val", "eval")) == 200
  assert found["examples"]["quarantined"] == 1
  file.write_text("[]", encoding="utf-8")
  refused = changed("check", "sentiment", "--data", file, code=2)
  assert "Expected a JSON file with a list of texts for each class" in refused.stderr


def test_an_orchestrator_is_a_folder_and_a_line(changed):
  target = changed.root / "images.mk"
  changed("compile", "images", "--tiny", "--for", "make", "-o", target, "--set", "make.command=d")
  lines = target.read_text(encoding="utf-8").splitlines()
  assert "Transform: DataGate DriftGate ReviewedSchema SourceExampleGen" in [
    f"{name}: {' '.join(sorted(needs.split()))}"
    for name, _, needs in (x.partition(":") for x in lines)
  ]
  assert any(line.startswith("\td node --ir ") and "--node Trainer" in line for line in lines)
  assert target.with_suffix(".json").is_file()
  unknown = changed("compile", "images", "--for", "make", "-o", target, "--set", "make.x=1", code=2)
  assert "Names in make: command." in unknown.stderr
  other = changed("run", "images", "--set", "make.command=d", code=2)
  assert "dlpipe compile TASK --for make alone reads it" in other.stderr


def test_a_kind_of_problem_is_a_module_and_the_line_that_names_it(changed):
  tasks = changed.root / "own"
  changed("new-task", "visits", "--like", "sentiment", "--problem", "number", "--into", tasks)
  for file in (tasks / "visits").glob("*.py"):
    text = file.read_text(encoding="utf-8")
    text = text.replace("problems.number", "problems.count").replace("number.", "count.")
    file.write_text(text.replace("import number", "import count"), encoding="utf-8")
  table = changed.root / "visits.csv"
  with table.open("w", encoding="utf-8", newline="") as opened:
    writer = csv.writer(opened)
    writer.writerow(["text", "label"])
    writer.writerows([f"a shop with {n} doors in street {n % 7}", n % 50] for n in range(300))
    writer.writerows([["a shop that is shut", -1], ["half a shop", 2.5]])
  done = changed("check", "visits", "--data", table, "--json", DLPIPE_TASKS=str(tasks))
  found = json.loads(done.stdout.splitlines()[-1])
  assert found["examples"]["quarantined"] == 2
  [rejected] = (changed.root / "ws" / "visits" / "quarantine").glob("*/rejected.jsonl")
  reasons = [json.loads(line)["reason"] for line in rejected.read_text("utf-8").splitlines()]
  assert sorted(reasons) == [
    "-1 is no count: a whole number from 0",
    "2.5 is no count: a whole number from 0",
  ]
