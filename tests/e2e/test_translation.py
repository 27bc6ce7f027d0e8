"""The translation task from sentence pairs to a pushed version, and its decoding."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def first_run(tmp_path_factory, run_dlpipe):
  """A workspace after one tiny run on the shipped sentences."""
  workspace = tmp_path_factory.mktemp("workspace")
  done = run_dlpipe("run", "translation", "--tiny", "--workspace", workspace, "--json")
  return workspace, done


def test_first_run_pushes_a_model_that_has_learned(first_run):
  _, done = first_run
  assert done.code == 0, done.stderr
  assert done.result["pushed_version"] == 1
  assert sum(done.result["examples"].values()) == 6000
  assert done.result["metrics"]["bleu"] > 20
  metrics = [gate["metric"] for gate in done.result["gates"]]
  own = [metric for metric in metrics if not metric.startswith("behaviour.")]
  assert own == ["bleu", "serving_difference"]
  assert {"behaviour.names", "behaviour.spaces"} <= set(metrics)


def test_every_pair_has_its_row_its_translation_and_a_score(first_run, run_dlpipe):
  workspace, first = first_run
  arguments = ("latest", "--where", "split == 'eval'", "--sort", "chrf", "--json")
  found = run_dlpipe("runs", "rows", *arguments, "--workspace", workspace).result
  assert found["count"] == first.result["examples"]["eval"]
  rows = found["rows"]
  assert rows[0]["chrf"] > 50 > rows[-1]["chrf"]
  assert all(row["right"] == (row["predicted"] == row["label"]) for row in rows)
  assert all(row["loss"] == pytest.approx(100 - row["chrf"]) for row in rows)
  assert all(row["origin"] == f"{row['file']}, row {row['row']}" for row in rows)


def test_another_decoding_trains_nothing_and_is_judged_anew(first_run, run_dlpipe):
  workspace, first = first_run
  done = run_dlpipe(
    *("run", "translation", "--tiny", "--workspace", workspace, "--json"),
    *("--set", "decode.beam_width=1", "--set", "gates.bleu.max_regression=20"),
    *("--until", "Evaluator"),
  )
  assert done.code == 0, done.stderr
  states = done.states()
  assert states["Transform"] == "CACHED"
  assert states["Trainer"] == "COMPLETE"
  assert "going on after epoch" in done.stderr
  assert "step 1/" not in done.stderr
  assert states["Evaluator"] == "COMPLETE"
  assert done.result["metrics"]["bleu"] < first.result["metrics"]["bleu"]


def test_any_sentence_is_answered(first_run, run_dlpipe):
  workspace, _ = first_run
  hostile = [
    "My sister did not buy the red apple yesterday.",
    "",
    "word " * 400,
    "word " * 150,
    "\U0001f469\u200d\U0001f52c reads \u65e5\u672c\u8a9e now.",
    "Tom\u202f!\u00a0Tom\u200b.",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
  ]
  place = ("--workspace", workspace)
  done = run_dlpipe("predict", "translation", *hostile, *place, "--why", "--json")
  assert done.code == 1, done.stderr
  answers = json.loads(done.stdout.splitlines()[-1])["predictions"]
  assert [answer["input"] for answer in answers] == hostile
  # What training refuses is not answered; the others are.
  empty, long = answers.pop(1), answers.pop(1)
  assert empty["error"].endswith("is empty")
  assert long["error"].endswith("has more characters than data.max_chars = 1000")
  assert answers[0]["translation"].startswith("Ma s\u0153ur")
  assert all(len(answer["translation"]) < 600 for answer in answers)
  for answer in answers:
    why = answer["why"]
    assert why["translation"] == answer["translation"]
    assert "".join(why["target_tokens"]) == answer["translation"].replace(" ", "")
    assert all(sum(shares) == pytest.approx(1, abs=1e-3) for shares in why["alignment"])
