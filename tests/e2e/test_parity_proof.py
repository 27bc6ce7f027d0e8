"""Preprocessing that differs between training and serving is refused, and named.

The task is that of docs/adding-a-task.md, with the commonest mistake planted in it: what serves is
given a preprocessing of its own, which is off by a little.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^`([^`\n]+\.(?:py|pbtxt))`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The trained model is asked eagerly; signatures are traced.
_WRONG = """

def serving_outputs(model, tft_output):
  import tensorflow as tf

  from pipeline.problems.classification_outputs import class_outputs

  answer = class_outputs(tft_output, "kinds")

  def outputs(features):
    codes = features["codes"]
    if not tf.executing_eagerly():
      codes = tf.maximum(codes - 1, 0)
    return answer(model(codes, training=False))

  return outputs
"""
_KIND = 'problem=PROBLEM.but(label_id_key="kind_id", vocabulary="kinds")'


def test_planted_difference_is_refused_with_its_path_and_size(tmp_path):
  page = (_REPOSITORY / "docs" / "adding-a-task.md").read_text(encoding="utf-8")
  for name, text in _BLOCK.findall(page):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8")
  folder = tmp_path / "my_tasks" / "fields"
  with (folder / "model.py").open("a", encoding="utf-8") as file:
    file.write(_WRONG)
  source = (folder / "task.py").read_text(encoding="utf-8")
  assert source.count(_KIND) == 1
  with_outputs = f'{_KIND[:-1]}, serving_outputs="pipeline.tasks.fields.model.serving_outputs")'
  (folder / "task.py").write_text(source.replace(_KIND, with_outputs), encoding="utf-8")
  done = subprocess.run(
    [
      *(sys.executable, "-m", "pipeline.cli.main", "run", "fields", "--tiny", "--json"),
      *("--workspace", str(tmp_path / "workspace")),
      # Whatever the planted difference does to the metrics, they shall not be what refuses.
      *("--set", "gates.skill=-10"),
    ],
    cwd=_REPOSITORY,
    env={
      **os.environ,
      "PYTHONPATH": str(_REPOSITORY),
      "DLPIPE_TASKS": str(tmp_path / "my_tasks"),
      "HOME": str(tmp_path),
    },
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 4, done.stderr[-3000:]
  result = json.loads(done.stdout.splitlines()[-1])
  assert (result["state"], result["pushed_version"]) == ("refused_model", None)
  failed = {gate["metric"]: gate["value"] for gate in result["gates"] if not gate["passed"]}
  assert list(failed) == ["serving_difference"]
  assert failed["serving_difference"] > 1e-3
  said = re.search(
    r"The export is refused: serving_default \(TF2 loader, batch of 1\): .*; the largest "
    r"difference is ([\d.e-]+), in scores? of (\w+) \(TF[12] loader, batch of \d+\)",
    done.stderr,
  )
  assert said, done.stderr[-3000:]
  assert float(said[1]) == pytest.approx(failed["serving_difference"], rel=1e-3)
  assert said[2] in ("serving_default", "serving_examples", "classify")
  [proof] = (tmp_path / "workspace/fields/artifacts/ServingGate/blessing").glob("*/parity.json")
  parity = json.loads(proof.read_text(encoding="utf-8"))
  refused = {path["signature"] for path in parity["paths"] if not path["passed"]}
  assert refused == {"serving_default", "serving_examples", "classify"}
  largest = max(path["max_difference"] or 0 for path in parity["paths"])
  assert largest == pytest.approx(failed["serving_difference"])
