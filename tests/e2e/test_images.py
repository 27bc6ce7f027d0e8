"""The images task from files to a pushed version, in the ways that matter to a user."""

from __future__ import annotations

import json
import pathlib
import random
import shutil

import pytest
from sklearn.datasets import load_digits

pytestmark = pytest.mark.e2e

_SOURCES = ("pipeline", "components", "dlpipe", "schemas", "data", "serving")
_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def test_first_run_pushes_version_1(first_run):
  workspace, done = first_run
  assert done.code == 0, done.stderr
  result = done.result
  assert result["state"] == "pushed"
  assert result["pushed_version"] == 1
  assert result["examples"]["quarantined"] == 0
  assert sum(result["examples"].values()) == 1797
  assert result["metrics"]["accuracy"] > 0.5
  assert [gate["metric"] for gate in result["gates"]] == [
    "skill",
    "worst_recall",
    "coverage",
    *(f"behaviour.{test}" for test in ("blur", "noise", "jpeg", "brightness", "rotation")),
    "serving_difference",
  ]
  assert all(gate["passed"] for gate in result["gates"])
  version = workspace / "images" / "serving" / "1"
  assert (version / "saved_model.pb").is_file()
  assert (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
  card = json.loads((version / "model_card.json").read_text(encoding="utf-8"))
  assert card["metrics"] == result["metrics"]
  assert [{**gate, "interval": None} for gate in card["gates"]] == [
    {**gate, "interval": None} for gate in result["gates"]
  ]
  assert {**card["examples"]} == result["examples"]
  assert "# Model card: images" in (version / "MODEL_CARD.md").read_text(encoding="utf-8")
  assert "Pushed as version 1" in pathlib.Path(result["report"]).read_text(encoding="utf-8")


def test_every_eval_picture_has_its_file_and_what_was_predicted(first_run, run_dlpipe):
  workspace, first = first_run
  where = ("--where", "split == 'eval'", "--workspace", workspace, "--json")
  found = run_dlpipe("runs", "rows", "latest", "--task", "images", *where).result
  assert found["run_id"] == first.result["run_id"]
  rows = found["rows"]
  assert len(rows) == found["count"] == first.result["examples"]["eval"]
  # The names are those of the shipped digits, whose folders are their labels.
  assert all(row["file"].startswith(f"{row['label']}/") for row in rows)
  assert len({row["origin"] for row in rows}) == len(rows)
  # One fact: the rows are those that the metrics were computed from.
  metrics = first.result["metrics"]
  assert sum(row["right"] for row in rows) / len(rows) == pytest.approx(metrics["accuracy"])
  assert sum(row["loss"] for row in rows) / len(rows) == pytest.approx(metrics["loss"], rel=1e-4)
  report = pathlib.Path(first.result["report"]).read_text(encoding="utf-8")
  worst = max((row for row in rows if not row["right"]), key=lambda row: row["loss"])
  assert worst["origin"] in report
  assert f"On {len(rows)} rows of eval the network is right about" in report


def test_status_names_the_run_that_pushed_each_version_and_its_metrics(first_run, run_dlpipe):
  workspace, first = first_run
  [found] = run_dlpipe("status", "images", "--workspace", workspace, "--json").result["tasks"]
  oldest = found["versions"][-1]
  assert (oldest["version"], oldest["how"], oldest["files"]) == (1, "pushed", "whole")
  assert oldest["run_id"] == first.result["run_id"]
  assert oldest["metrics"] == first.result["metrics"]


def test_second_run_is_cached_and_pushes_nothing(first_run, run_dlpipe):
  workspace, first = first_run
  done = run_dlpipe("run", "images", "--tiny", "--workspace", workspace, "--json")
  assert done.code == 0, done.stderr
  assert set(done.states().values()) == {"CACHED"}
  assert done.result["state"] == "cached"
  assert done.result["pushed_version"] == 1
  assert done.result["metrics"] == first.result["metrics"]
  assert [p.name for p in _versions(workspace)] == ["1"]


def test_a_run_is_reproduced_with_what_it_was_told(first_run, run_dlpipe, tmp_path):
  workspace, first = first_run
  run_id, into = first.result["run_id"], tmp_path / "again"
  again = run_dlpipe(
    "runs", "reproduce", run_id, "--workspace", workspace, "--into", into, "--json"
  )
  assert again.code == 0, again.stderr
  assert set(again.states().values()) == {"COMPLETE", "CACHED"}  # PreviousModel looks up
  assert again.states()["Trainer"] == "COMPLETE"
  found = again.result["reproduces"]
  assert (found["is_equal"], found["nodes"], found["packages"]) == (True, {}, {})
  assert found["metrics"]["loss"][0] == first.result["metrics"]["loss"]
  assert "Reproduced" in again.stderr
  assert [p.name for p in _versions(workspace)] == ["1"]


def test_deleted_version_is_pushed_again(first_run, run_dlpipe, tmp_path):
  workspace, _ = first_run
  version = workspace / "images" / "serving" / "1"
  version.rename(tmp_path / "1")
  done = run_dlpipe("run", "images", "--tiny", "--workspace", workspace, "--json")
  assert done.code == 0, done.stderr
  assert done.states()["VersionedPusher"] == "COMPLETE"
  assert done.result["state"] == "pushed"
  [pushed] = _versions(workspace)
  assert int(pushed.name) == done.result["pushed_version"]
  assert (pushed / "saved_model.pb").read_bytes() == (tmp_path / "1/saved_model.pb").read_bytes()


def test_only_what_an_edit_touches_runs_again(first_run, run_dlpipe, tmp_path):
  workspace, _ = first_run
  for name in _SOURCES:
    shutil.copytree(_REPOSITORY / name, tmp_path / name)
  sentiment = tmp_path / "pipeline" / "tasks" / "sentiment"
  sentiment.mkdir(exist_ok=True)
  with (sentiment / "__init__.py").open("a") as file:
    file.write("# A comment.\n")

  def run(*until):
    told = ("run", "images", "--tiny", "--workspace", workspace, "--json", *until)
    return run_dlpipe(*told, source=tmp_path)

  assert set(run().states().values()) == {"CACHED"}
  with (tmp_path / "pipeline/tasks/images/preprocessing.py").open("a") as file:
    file.write("# A comment.\n")
  states = run("--until", "Trainer").states()
  assert states["SourceExampleGen"] == "CACHED"
  assert states["StatisticsGen"] == "CACHED"
  assert states["Transform"] == "COMPLETE"
  assert states["Trainer"] == "COMPLETE"


def test_tuner_runs_when_asked_and_its_best_values_are_trained_with(first_run, run_dlpipe):
  workspace, _ = first_run
  tuning = ["--set", "tune.trials=2", "--set", "tune.epochs=1"]
  done = run_dlpipe(
    "run",
    "images",
    "--tiny",
    "--workspace",
    workspace,
    "--json",
    "--set",
    "gates.skill=0.99",
    *tuning,
  )
  # The bound cannot be kept: two trials of one epoch prove nothing about a model.
  assert done.code == 4, done.stderr
  states = done.states()
  assert states["Transform"] == "CACHED"
  assert states["Tuner"] == "COMPLETE"
  assert states["Trainer"] == "COMPLETE"
  histories = (workspace / "images/artifacts/Trainer/model_run").glob("*/history.json")
  newest = max(histories, key=lambda path: path.stat().st_mtime)
  trained_with = json.loads(newest.read_text())["hyperparameters"]
  [best] = (workspace / "images/artifacts/Tuner/best_hyperparameters").glob("*/*.txt")
  found = json.loads(best.read_text())["values"]
  assert set(found) == {"dropout", "learning_rate"}
  assert {name: trained_with[name] for name in found} == found
  listed = run_dlpipe("runs", "show", done.result["run_id"], "--workspace", workspace, "--json")
  tuning = json.loads(listed.stdout)["tuning"]
  assert [(trial["state"], trial["epochs"]) for trial in tuning["trials"]] == [("complete", 1)] * 2
  assert tuning["trials"][tuning["best"] - 1]["hyperparameters"] == found
  report = pathlib.Path(done.result["report"]).read_text()
  assert f"The Trainer took the values of trial {tuning['best']}" in report


def test_predict_answers_from_the_pushed_version(first_run, run_dlpipe):
  workspace, _ = first_run
  done = run_dlpipe("predict", "images", "--sample", "--workspace", workspace, "--json")
  assert done.code == 0, done.stderr
  [prediction] = done.result["predictions"]
  assert prediction["label"] in {str(digit) for digit in range(10)}
  assert sum(prediction["scores"]) == pytest.approx(1, abs=1e-5)
  assert prediction["score"] == pytest.approx(max(prediction["scores"]))


def test_model_that_learned_nothing_is_refused(run_dlpipe, write_digits, tmp_path):
  labels = list(load_digits().target[:400])
  random.Random(1).shuffle(labels)
  data = write_digits(tmp_path / "data", labels)
  workspace = tmp_path / "workspace"
  done = run_dlpipe("run", "images", "--tiny", "--data", data, "--workspace", workspace, "--json")
  assert done.code == 4, done.stderr
  assert done.result["state"] == "refused_model"
  assert done.result["pushed_version"] is None
  [skill] = [gate for gate in done.result["gates"] if gate["metric"] == "skill"]
  assert not skill["passed"]
  assert skill["value"] < 0.3
  assert _versions(workspace) == []
  # A refusal that is cached stays a refusal.
  again = run_dlpipe("run", "images", "--tiny", "--data", data, "--workspace", workspace, "--json")
  assert again.code == 4
  assert set(again.states().values()) == {"CACHED"}


def test_too_many_bad_pictures_are_refused_and_kept(run_dlpipe, write_digits, tmp_path):
  data = write_digits(tmp_path / "data", load_digits().target[:200])
  for index in range(20):
    (data / "0" / f"bad {index}.png").write_bytes(b"" if index % 2 else b"not a picture")
  workspace = tmp_path / "workspace"
  done = run_dlpipe("run", "images", "--tiny", "--data", data, "--workspace", workspace, "--json")
  assert done.code == 3, done.stderr
  assert done.result["state"] == "refused_data"
  assert done.result["examples"]["quarantined"] == 20
  assert done.states()["Trainer"] == "SKIPPED"
  kept = workspace / "images" / "quarantine" / done.result["run_id"]
  rows = [json.loads(line) for line in (kept / "rejected.jsonl").read_text().splitlines()]
  assert len(rows) == 20
  assert all(row["reason"] for row in rows)
  tolerant = run_dlpipe(
    "check",
    "images",
    "--data",
    data,
    "--workspace",
    workspace,
    "--json",
    "--set",
    "data.max_bad_fraction=0.2",
  )
  assert tolerant.code == 0, tolerant.stderr
  check = tolerant.result["check"]
  assert sum(check["examples"].values()) == 200
  assert {row["reason"] for row in rows} == {row["reason"] for row in check["quarantined"]}
  assert "Data check  " in tolerant.stderr


def test_rollback_serves_the_older_version_under_a_higher_number(first_run, run_dlpipe, tmp_path):
  workspace, _ = first_run
  serving = tmp_path / "images" / "serving"
  for version in ("1", "2"):
    shutil.copytree(_versions(workspace)[-1], serving / version)
  done = run_dlpipe("rollback", "images", "--to", "1", "--workspace", tmp_path, "--json")
  assert done.code == 0, done.stderr
  assert done.result["version"] == 3
  predicted = run_dlpipe("predict", "images", "--sample", "--workspace", tmp_path, "--json")
  assert predicted.result["version"] == 3


def _versions(workspace: pathlib.Path) -> list[pathlib.Path]:
  return sorted(p for p in (workspace / "images" / "serving").glob("*") if p.name.isdigit())
