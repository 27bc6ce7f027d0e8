"""What every setting of `tune`, `gates`, `push`, `beam`, `metadata` and `keep` does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dlpipe.errors import BadInputError
from pipeline import gates, model_card
from pipeline.api.inputs import Inputs
from pipeline.api.operations.told_bounds import told_max_flips
from pipeline.evaluation import Evaluation
from pipeline.problems.certainty import kept
from pipeline.problems.certainty.record import Certainty
from pipeline.runs import run_files
from pipeline.runs.retention.planning import Holdings, KnownRun, plan
from pipeline.runs.store import metadata_stores
from pipeline.settings.reading import make_config
from pipeline.settings.unread_settings import require_read_by_command
from pipeline.task import MetricGate
from pipeline.tasks import get_task

SECTIONS = ("tune", "gates", "push", "beam", "metadata", "keep")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
  """What a check has."""

  task: str
  folder: Any
  run: Callable[..., Inputs]
  drawn: Callable[[Inputs], dict[str, dict[str, Any]]]

  def given_to(self, node: str, *settings: str) -> Mapping[str, Any]:
    return self.drawn(self.run(self.task, *settings))[node]

  def beam_args(self, *settings: str) -> list[str]:
    from pipeline.beam.options import beam_args

    return beam_args(self.run(self.task, *settings).config)


@pytest.fixture
def desk(task_name, run, drawn, tmp_path):
  return Desk(task=task_name, run=run, drawn=drawn, folder=tmp_path)


def _verdict(desk: Desk, *settings: str, before: float | None = None, **metrics: float):
  """What the judge, told as the drawn Evaluator is, says of metrics and of the model before."""
  told = desk.given_to("Evaluator", *settings)["gates"]
  told = json.loads(told) if isinstance(told, str) else told
  found = Evaluation(
    metrics={"example_count": 100.0, **metrics},
    baseline=dict.fromkeys(metrics, before) if before is not None else {},
    slices=[],
    confusion={},
    calibration=[],
  )
  return gates.verdict(
    found,
    [MetricGate(**gate) for gate in told["gates"]],
    min_examples=told["min_examples"],
  )


def _check_metric(desk: Desk, name: str) -> None:
  metric, _, change = name.partition(".")
  [gate] = [each for each in get_task(desk.task).gates if each.metric == metric]
  scale = gate.best or 1
  better = 1 if gate.direction == "higher" else -1

  def rulings(setting: str, **found: Any) -> list[tuple[str, bool]]:
    verdict = _verdict(desk, f"gates.{name}={setting}", **found)
    return [(r.bound, r.passed) for r in verdict.rulings if r.metric == metric]

  if change:
    # Worse by 0.2 of the scale, where 0.1 and then 0.3 are allowed.
    values = {metric: (0.5 - better * 0.2) * scale, "before": 0.5 * scale}
    assert not rulings(str(0.1 * scale), **values)[-1][1]
    assert rulings(str(0.3 * scale), **values)[-1][1]
    assert not any("the model before" in bound for bound, _ in rulings("null", **values))
    return
  values = {metric: 0.5 * scale}
  assert rulings(str(0.4 * scale), **values)[0][1] is (better > 0)
  assert rulings(str(0.6 * scale), **values)[0][1] is (better < 0)
  assert rulings("null", **values) == []


def _check_min_examples(desk: Desk) -> None:
  for asked, passes in ((100, True), (101, False)):
    verdict = _verdict(desk, f"gates.min_examples={asked}")
    assert (verdict.rulings[0].metric, verdict.rulings[0].passed) == ("example_count", passes)


def _check_max_coverage_gap(desk: Desk) -> None:
  if not get_task(desk.task).problem.certainty:
    with pytest.raises(BadInputError, match=r"^gates\.max_coverage_gap is for classes,"):
      desk.run(desk.task, "gates.max_coverage_gap=0.1")
    return
  record = Certainty(coverage=0.9, rows=9_000, bound=0.1)
  metrics = {"coverage": 0.85, "example_count": 9_000.0}
  for asked, passes in ((0.1, True), (0.02, False)):
    told = desk.given_to("Evaluator", f"gates.max_coverage_gap={asked}")["gates"]
    told = json.loads(told) if isinstance(told, str) else told
    [ruling] = kept.rulings(record, metrics, {}, max_gap=told["max_gap"])
    assert ruling.passed is passes


def _check_max_latency_ms(desk: Desk) -> None:
  assert desk.given_to("ServingGate", "gates.max_latency_ms=12.5")["max_latency_ms"] == 12.5
  assert desk.given_to("ServingGate")["max_latency_ms"] is None


def _check_behaviour(desk: Desk) -> None:
  file = desk.folder / "behaviour.yaml"
  file.write_text("tests: []", encoding="utf-8")
  usual, own, none = (
    json.loads(desk.given_to("BehaviourGate", *setting)["tests"])["suite"]["tests"]
    for setting in ((), (f"gates.behaviour={file}",), ("gates.behaviour=none",))
  )
  assert usual
  assert own == none == []
  file.write_text("tests: [\n  {name: a}]", encoding="utf-8")
  with pytest.raises(BadInputError, match=r"behaviour.yaml, line 2: kind must be one of "):
    desk.run(desk.task, f"gates.behaviour={file}")


def _check_beats_baseline(desk: Desk) -> None:
  for setting, bound in (((), None), (("gates.beats_baseline=0.02",), 0.02)):
    told = desk.given_to("Evaluator", *setting)["gates"]
    told = json.loads(told) if isinstance(told, str) else told
    assert told["beats_baseline"] == bound


def _check_drift(desk: Desk) -> None:
  assert json.loads(desk.given_to("DriftGate")["told"])["severity"] == "warn"
  refuses = desk.given_to("DriftGate", "gates.drift=refuse")
  assert json.loads(refuses["told"])["severity"] == "refuse"
  drawn = desk.drawn(desk.run(desk.task, "gates.drift=none"))
  assert "DriftGate" not in drawn
  assert "DataProfile" in drawn


def _check_least_drift(desk: Desk) -> None:
  given = desk.given_to("DriftGate", "gates.least_drift=0.3")
  assert json.loads(given["told"])["least"] == 0.3


def _check_trials(desk: Desk) -> None:
  assert "Tuner" not in desk.drawn(desk.run(desk.task))
  given = desk.given_to("Tuner", "tune.trials=4", "tune.epochs=2")
  assert given["custom_config"]["tune"] == {
    "trials": 4,
    "epochs": 2,
    "minutes": None,
    "early_stopping": True,
  }


def _check_tune_epochs(desk: Desk) -> None:
  _check_trials(desk)
  with pytest.raises(BadInputError, match=r"^tune\.epochs is for trials, and there are none\."):
    desk.run(desk.task, "tune.epochs=2")


def _check_tune_minutes(desk: Desk) -> None:
  given = desk.given_to("Tuner", "tune.minutes=30")["custom_config"]["tune"]
  assert (given["trials"], given["minutes"]) == (0, 30)


def _check_early_stopping(desk: Desk) -> None:
  given = desk.given_to("Tuner", "tune.trials=4", "tune.early_stopping=false")
  assert given["custom_config"]["tune"]["early_stopping"] is False
  with pytest.raises(BadInputError, match=r"^tune\.early_stopping is for trials, and there are no"):
    desk.run(desk.task, "tune.early_stopping=false")


def _check_tolerance(desk: Desk) -> None:
  assert desk.given_to("ServingGate", "push.tolerance=0.001")["tolerance"] == 0.001


def _check_serving_release(desk: Desk) -> None:
  for tag in ("2.16.1", "2.16.1-gpu"):
    given = desk.given_to("ServingGate", f"push.serving_release={tag}")
    assert given["serving_release"] == tag
  with pytest.raises(BadInputError, match=r"^push\.serving_release: .* Received: '1\.0'"):
    desk.run(desk.task, "push.serving_release=1.0")


def _check_data_license(desk: Desk) -> None:
  for setting, told in ((("push.data_license=CC BY 4.0",), "CC BY 4.0"), ((), None)):
    given = desk.given_to("VersionedPusher", *setting)["card_facts"]
    assert json.loads(given)["data_license"] == told
  text = model_card.files({}, json.loads(desk.given_to("VersionedPusher")["card_facts"]))
  assert "| licence | not stated (push.data\\_license) |" in text["MODEL_CARD.md"]


def _check_stage(desk: Desk) -> None:
  assert desk.given_to("VersionedPusher")["stage"] == "live"
  assert desk.given_to("VersionedPusher", "push.stage=candidate")["stage"] == "candidate"


def _check_max_flips(desk: Desk) -> None:
  config = desk.run(desk.task, "push.stage=candidate", "push.max_flips=0.02").config
  run_files.write(config, "r1")
  found = told_max_flips(config.folder, 1, tell=lambda said: None)
  assert found == 0.02, "dlpipe promote replays and judges by it"
  with pytest.raises(
    BadInputError, match=r"^push\.max_flips is for candidates, and push\.stage is"
  ):
    desk.run(desk.task, "push.max_flips=0.02")


def _check_copy_to(desk: Desk) -> None:
  assert "copy_to" not in desk.given_to("VersionedPusher")
  address = "s3://bucket/models"
  assert desk.given_to("VersionedPusher", f"push.copy_to={address}")["copy_to"] == address
  held = desk.given_to("VersionedPusher", f"push.copy_to={address}", "push.stage=candidate")
  assert held["copy_to"] == address, "dlpipe promote copies it"
  for settings, message in (
    (["push.copy_to=/models"], "push.copy_to: It takes an address that can be written to: s3://"),
    (["push.copy_to=https://host/models"], "It takes an address that can be written to"),
  ):
    with pytest.raises(BadInputError, match=message):
      desk.run(desk.task, *settings)


def _check_runner(desk: Desk) -> None:
  for runner, name in (("flink", "FlinkRunner"), ("spark", "SparkRunner")):
    assert desk.beam_args(f"beam.runner={runner}")[0].endswith(f".{name}")
  assert desk.beam_args("beam.runner=direct")[0] in (
    "--runner=DirectRunner",
    "--runner=FnApiRunner",
  )
  cloud = "[--project=p, --region=r, --temp_location=gs://b/t, --sdk_container_image=i]"
  args = desk.beam_args("beam.runner=dataflow", f"beam.options={cloud}")
  assert args[0] == "--runner=DataflowRunner"
  with pytest.raises(BadInputError, match="needs --project, --region, --temp_location"):
    desk.beam_args("beam.runner=dataflow")


def _check_job_server(desk: Desk) -> None:
  for runner in ("flink", "spark"):
    args = desk.beam_args(f"beam.runner={runner}", "beam.job_server=/jars/one.jar")
    assert f"--{runner}_job_server_jar=/jars/one.jar" in args
  with pytest.raises(BadInputError, match=r"^beam\.job_server is for flink and spark, and beam\."):
    desk.run(desk.task, "beam.job_server=/jars/one.jar")


def _check_beam_options(desk: Desk) -> None:
  asked = 'beam.options=["--parallelism=4"]'
  assert "--parallelism=4" in desk.beam_args("beam.runner=flink", asked)
  workers = "--direct_num_workers=2"
  assert workers in desk.beam_args(f"beam.options=[{workers}]")
  for settings, message in (
    ([asked], r"--parallelism is for beam\.runner=flink"),
    (
      ["beam.options=[--direct_num_wrokers=2]"],
      "--direct_num_wrokers. Did you mean --direct_num_wo",
    ),
  ):
    with pytest.raises(BadInputError, match=message):
      desk.beam_args(*settings)


def _check_connection_file(desk: Desk) -> None:
  file = desk.folder / "mlmd.json"
  file.write_text('{"sqlite": {"filename_uri": "/there/metadata.db"}}')
  config = desk.run(desk.task, f"metadata.connection_file={file}").config
  assert metadata_stores.connection(config).sqlite.filename_uri == "/there/metadata.db"
  usual = metadata_stores.connection(desk.run(desk.task).config).sqlite.filename_uri
  assert usual == str(config.folder.metadata)


_DAY_S = 86400.0


def _cleaned(desk: Desk, setting: str) -> list[str]:
  """What a run with this setting deletes of four runs of 1 MB, one a day, the last today."""
  runs = tuple(
    KnownRun(run_id=f"r{day}", started=day * _DAY_S, state="failed", outputs=frozenset({f"a{day}"}))
    for day in range(4)
  )
  sizes = {f"a{day}": 1_000_000 for day in range(4)}
  holdings = Holdings(runs=runs, sizes=sizes, total=4_000_000)
  keep = desk.run(desk.task, setting).config.keep
  assert keep.is_set
  return list(plan(holdings, keep, now=3.5 * _DAY_S).runs)


def _check_keep_runs(desk: Desk) -> None:
  assert _cleaned(desk, "keep.runs=3") == ["r0"]


def _check_keep_days(desk: Desk) -> None:
  assert _cleaned(desk, "keep.days=2") == ["r0", "r1"]


def _check_keep_max_mb(desk: Desk) -> None:
  assert _cleaned(desk, "keep.max_mb=2.5") == ["r0", "r1"]
  with pytest.raises(BadInputError, match=r"no run of kubeflow cleans after itself"):
    require_read_by_command(["keep.max_mb=2.5"], orchestrator="kubeflow")
  for orchestrator in ("airflow", "ir"):
    require_read_by_command(["keep.max_mb=2.5"], orchestrator=orchestrator)


_CHECKS: Mapping[str, Callable[[Desk], None]] = {
  "tune.trials": _check_trials,
  "tune.epochs": _check_tune_epochs,
  "tune.minutes": _check_tune_minutes,
  "tune.early_stopping": _check_early_stopping,
  "gates.min_examples": _check_min_examples,
  "gates.max_latency_ms": _check_max_latency_ms,
  "gates.max_coverage_gap": _check_max_coverage_gap,
  "gates.behaviour": _check_behaviour,
  "gates.beats_baseline": _check_beats_baseline,
  "gates.drift": _check_drift,
  "gates.least_drift": _check_least_drift,
  "push.tolerance": _check_tolerance,
  "push.serving_release": _check_serving_release,
  "push.data_license": _check_data_license,
  "push.stage": _check_stage,
  "push.max_flips": _check_max_flips,
  "push.copy_to": _check_copy_to,
  "beam.runner": _check_runner,
  "beam.job_server": _check_job_server,
  "beam.options": _check_beam_options,
  "metadata.connection_file": _check_connection_file,
  "keep.runs": _check_keep_runs,
  "keep.days": _check_keep_days,
  "keep.max_mb": _check_keep_max_mb,
}


def test_it_changes_the_pipeline(task_name, setting, desk):
  metrics = {gate.metric for gate in get_task(task_name).gates}
  if setting.section == "gates" and setting.name.partition(".")[0] in metrics:
    _check_metric(desk, setting.name)
  else:
    _CHECKS[setting.key](desk)


@pytest.mark.parametrize(
  ("name", "refused", "message"),
  [
    ("images", "gates.auc=0.8", "unknown name 'gates.auc' for task images"),
    ("translation", "gates.accuracy=0.8", "unknown name 'gates.accuracy' for task translation"),
    ("sentiment", "gates.accuracy=1.5", "gates.accuracy must be null or a number of at most 1."),
    ("sentiment", "gates.calibration_error=-1", "must be null or a number of at least 0, "),
    ("translation", "gates.bleu=101", "gates.bleu must be null or a number of at most 100, "),
    ("images", "gates.min_examples=0", "gates.min_examples must be null or a whole number of at"),
    ("images", "gates.skill=.inf", "gates.skill must be null or a number of at most 1, "),
  ],
)
def test_bounds_that_mean_nothing_are_refused(name, refused, message):
  with pytest.raises(BadInputError) as raised:
    make_config(get_task(name), data_path="d", workspace="w", settings=[refused])
  assert message in str(raised.value)
