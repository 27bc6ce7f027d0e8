"""The sentiment task from texts to a pushed version, in the ways that matter to a user."""

from __future__ import annotations

import csv
import json
import random

import pytest

from data.sentiment.reviews import reviews

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def first_run(tmp_path_factory, run_dlpipe):
  """A workspace after one tiny run on the made-up reviews."""
  workspace = tmp_path_factory.mktemp("workspace")
  done = run_dlpipe("run", "sentiment", "--tiny", "--workspace", workspace, "--json")
  return workspace, done


def test_first_run_pushes_version_1(first_run):
  workspace, done = first_run
  assert done.code == 0, done.stderr
  result = done.result
  assert (result["state"], result["pushed_version"]) == ("pushed", 1)
  assert sum(result["examples"].values()) == 6000
  assert result["examples"]["quarantined"] == 0
  assert [gate["metric"] for gate in result["gates"]] == [
    "skill",
    "worst_recall",
    "auc",
    "calibration_error",
    "coverage",
    *(f"behaviour.{test}" for test in ("spaces", "capitals", "typos", "plain praise")),
    *(f"behaviour.{test}" for test in ("blame lowers", "names")),
    "serving_difference",
  ]
  assert all(gate["passed"] for gate in result["gates"])
  assert result["metrics"]["auc"] > 0.7
  assert (workspace / "sentiment" / "serving" / "1" / "saved_model.pb").is_file()


def test_second_run_is_cached_and_pushes_nothing(first_run, run_dlpipe):
  workspace, first = first_run
  done = run_dlpipe("run", "sentiment", "--tiny", "--workspace", workspace, "--json")
  assert done.code == 0, done.stderr
  assert set(done.states().values()) == {"CACHED"}
  assert done.result["pushed_version"] == 1
  assert done.result["metrics"] == first.result["metrics"]


def test_any_text_is_answered(first_run, run_dlpipe):
  workspace, _ = first_run
  hostile = [
    "All in all wonderful.",
    "All in all awful.",
    "",
    "word " * 3000,
    "\u96fb\u5f71\u5f88\u597d\u770b \U0001f44d\U0001f3fd",
    "<br />it isn\u2019t\u00a0bad & <b>not</b> dull\u200b",
  ]
  place = ("--workspace", workspace)
  done = run_dlpipe("predict", "sentiment", *hostile, *place, "--why", "--json")
  assert done.code == 1, done.stderr
  answers = json.loads(done.stdout.splitlines()[-1])["predictions"]
  assert [answer["input"] for answer in answers] == hostile
  # What training refuses is not answered; the others are.
  assert answers.pop(2) == {"input": "", "error": "the text is empty"}
  assert [answer["label"] for answer in answers[:2]] == ["positive", "negative"]
  assert all(sum(answer["scores"]) == pytest.approx(1, abs=1e-5) for answer in answers)
  for answer in answers:
    why = answer["why"]
    assert why["label"] == answer["label"]
    assert why["intercept"] + sum(why["contributions"]) == pytest.approx(why["explained"], abs=1e-3)
  for answer, word in zip(answers, ("wonderful", "awful"), strict=False):
    parts = dict(zip(answer["why"]["tokens"], answer["why"]["contributions"], strict=True))
    assert max(filter(str.isalpha, parts), key=parts.get) == word


def test_model_that_learned_nothing_is_refused(run_dlpipe, tmp_path):
  rows = list(reviews(rows=1200))
  labels = [label for _, label in rows]
  random.Random(1).shuffle(labels)
  with (tmp_path / "shuffled.csv").open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["text", "label"])
    writer.writerows((text, label) for (text, _), label in zip(rows, labels, strict=True))
  done = run_dlpipe(
    *("run", "sentiment", "--tiny", "--data", tmp_path / "shuffled.csv"),
    *("--workspace", tmp_path / "workspace", "--json"),
  )
  assert done.code == 4, done.stderr
  assert (done.result["state"], done.result["pushed_version"]) == ("refused_model", None)
  failed = {gate["metric"]: gate["value"] for gate in done.result["gates"] if not gate["passed"]}
  assert failed["skill"] < 0.3
  assert failed["auc"] < 0.65
