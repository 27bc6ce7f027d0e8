"""Tasks that answer with labels or with a number, as `new-task` writes them: table to answers."""

from __future__ import annotations

import csv
import json

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def tasks(tmp_path_factory, run_dlpipe):
  """A folder with `topics`, texts with labels, and `stars`, pictures with a number."""
  root = tmp_path_factory.mktemp("tasks")
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("DLPIPE_TASKS", str(root))
    patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    for name, like, problem in (("topics", "sentiment", "labels"), ("stars", "images", "number")):
      done = run_dlpipe("new-task", name, "--like", like, "--problem", problem)
      assert done.code == 0, done.stderr
    yield root


def _sample(tasks, name):
  [table] = (tasks / "cache" / "dlpipe" / name).rglob("*.csv")
  with table.open(encoding="utf-8", newline="") as file:
    return table, list(csv.DictReader(file))


def _run(tasks, run_dlpipe, name, tmp_path):
  """Runs the task on its sample, then the sample through `batch`; returns result and answers."""
  workspace = tmp_path / "workspace"
  done = run_dlpipe("run", name, "--tiny", "--workspace", workspace, "--json")
  assert done.code == 0, done.stderr[-3000:]
  assert done.result["state"] == "pushed"
  gates = {gate["metric"]: gate for gate in done.result["gates"]}
  assert gates["skill"]["passed"]
  # Both loaders, REST and gRPC, and Classify or Regress.
  assert gates["serving_difference"]["passed"]
  [proof] = (workspace / name / "artifacts/ServingGate/blessing").glob("*/parity.json")
  paths = json.loads(proof.read_text("utf-8"))["paths"]
  assert "explain" in {path["signature"] for path in paths}
  table, rows = _sample(tasks, name)
  output = tmp_path / "answers.jsonl"
  done_batch = run_dlpipe(
    "batch", name, "--input", table, "--output", output, "--workspace", workspace
  )
  assert done_batch.code == 0, done_batch.stderr[-3000:]
  answers = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
  assert len(answers) == len(rows)
  report = (workspace / name / "reports").glob("*.html")
  return done.result, rows, answers, next(iter(report)).read_text("utf-8")


def _rows_of_eval(run_dlpipe, name, tmp_path, result):
  """The predictions of eval; a row's number counts the header of the table."""
  arguments = ("latest", "--task", name, "--where", "split == 'eval'", "--json")
  found = run_dlpipe("runs", "rows", *arguments, "--workspace", tmp_path / "workspace").result
  assert found["count"] == result["examples"]["eval"] > 0
  return found["rows"]


def test_several_labels_of_a_text(tasks, run_dlpipe, tmp_path):
  result, rows, answers, report = _run(tasks, run_dlpipe, "topics", tmp_path)
  assert sum(result["examples"].values()) == 600
  assert result["examples"]["quarantined"] == 0
  assert result["metrics"]["micro_f1"] > 0.9
  said = [answer.get("predicted_label", answer["label"]) for answer in answers]
  right = [set(s.split("|")) == set(r["label"].split("|")) for s, r in zip(said, rows, strict=True)]
  assert sum(right) > 0.8 * len(rows)
  # A row without labels is a row like any other.
  assert any(not row["label"] for row in rows)
  assert "Each label, weakest first" in report
  rows_of_eval = _rows_of_eval(run_dlpipe, "topics", tmp_path, result)
  # The separator in the table is "|".
  assert all(
    row["label"] == (" | ".join(sorted(rows[row["row"] - 2]["label"].split("|"))) or "(none)")
    for row in rows_of_eval
  )


def test_a_number_of_a_picture(tasks, run_dlpipe, tmp_path):
  result, rows, answers, report = _run(tasks, run_dlpipe, "stars", tmp_path)
  assert sum(result["examples"].values()) == 300
  assert result["metrics"]["skill"] > 0.5
  off = [abs(a["value"] - float(r["label"])) for a, r in zip(answers, rows, strict=True)]
  assert sum(off) / len(off) < 4
  assert "How near the answers are" in report
  assert "is furthest off" in report
  for row in _rows_of_eval(run_dlpipe, "stars", tmp_path, result):
    written = rows[row["row"] - 2]
    assert (row["file"], row["label"]) == (written["path"], float(written["label"]))
