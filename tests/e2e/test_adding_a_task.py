"""docs/adding-a-task.md: its code blocks, as they stand there, make a pushed model."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_SOURCES = ("pipeline", "components", "dlpipe", "schemas", "data", "serving")
_BLOCK = re.compile(r"^`([^`\n]+\.(?:py|pbtxt))`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_task_of_the_page_runs_to_a_pushed_version(tmp_path):
  for name in _SOURCES:
    shutil.copytree(_REPOSITORY / name, tmp_path / name)
  page = (_REPOSITORY / "docs" / "adding-a-task.md").read_text(encoding="utf-8")
  files = dict(_BLOCK.findall(page))
  assert len(files) == 6
  for name, text in files.items():
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8")

  def dlpipe(*arguments):
    done = subprocess.run(
      [sys.executable, "-m", "pipeline.cli.main", *arguments, "--json"],
      cwd=tmp_path,
      env={
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "DLPIPE_TASKS": str(tmp_path / "my_tasks"),
        "HOME": str(tmp_path),
      },
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])

  result = dlpipe("run", "fields", "--tiny")
  assert result["state"] == "pushed"
  assert result["examples"] == {"train": 1594, "val": 206, "eval": 200, "quarantined": 0}
  answers = dlpipe("predict", "fields", "12.03.1999", "+49 170 12345", "a@b.org")["predictions"]
  assert [answer["label"] for answer in answers] == ["date", "phone", "email"]
