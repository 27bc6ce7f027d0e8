"""Reads the result of a run from its artifacts: for the exit code, `--json` and the report."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow_transform as tft
from ml_metadata.proto import metadata_store_pb2
from tfx.components.evaluator import constants as evaluator_constants

from components.serving_gate.parity import Parity
from components.source_example_gen.summary import REJECTED_FILE, Summary
from components.spans import pattern
from components.trials import Trials
from components.versioned_pusher.candidates import list_candidates
from components.versioned_pusher.executor import Pushed
from components.versioned_pusher.repair import repair_of
from components.versioned_pusher.version_folders import is_damaged, list_versions
from dlpipe import nodes
from dlpipe.causes import user_error
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError, BusyError, DataRefusedError
from dlpipe.verdicts import Ruling
from dlpipe.workspace import Workspace
from pipeline import evaluation
from pipeline.behaviour.results import Behaviour
from pipeline.drift.profile import Profile
from pipeline.drift.verdict import REFUSED_FILE, Drift
from pipeline.rows import by_span, table
from pipeline.rows.files import FILE
from pipeline.runs import result, trained
from pipeline.runs.facts import Outputs, directory, read_facts
from pipeline.runs.pushes import pushed_version
from pipeline.runs.report_data import ReportData
from pipeline.runs.run_files import package_versions
from pipeline.runs.shown import slices
from pipeline.runs.shown.advice import advice
from pipeline.runs.shown.previous import Previous
from pipeline.runs.shown_rows import shown_rows
from pipeline.settings.config import PipelineConfig
from pipeline.shipped import is_shipped
from pipeline.suspects.baseline import Baseline
from pipeline.task import Task
from pipeline.training.training_record import TrainingRecord

Artifacts = Mapping[str, Mapping[str, metadata_store_pb2.Artifact]]
_SHOWN_REJECTED = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRecord:
  """Everything known about a run that ended.

  Attributes:
    result: the run's end, without the report's path.
    quarantine_dir: the quarantine artifact's directory, if the source ran.
    report: the fields of `ReportData` beside result and start.
  """

  result: result.RunResult
  quarantine_dir: pathlib.Path | None
  report: Mapping[str, Any]

  def report_data(
    self, *, report: str, started: str, check: Mapping[str, Any] | None = None
  ) -> ReportData:
    """Returns the content of the report; `check` has the findings of `dlpipe check`."""
    ended = dataclasses.replace(self.result, report=report, check=check)
    return ReportData(result=ended, started=started, **self.report)


def collect(
  task: Task,
  config: PipelineConfig,
  *,
  artifacts: Artifacts,
  components: list[result.ComponentResult],
  error: BaseException | None,
  run_id: str,
  previous: Previous | None = None,
) -> RunRecord:
  """Reads every artifact that a run has, as far as it came.

  Args:
    task: the task.
    config: the run's configuration.
    artifacts: node id to output name to artifact, for the nodes that ran.
    components: the result of each node.
    error: the exception that ended the run early; None if there was none.
    run_id: the run's name.
    previous: what the model before it said; None if there is none.
  """
  outputs = {node: {k: a.uri for k, a in some.items()} for node, some in artifacts.items()}
  facts = read_facts(outputs)
  quarantine = directory(outputs, nodes.QUARANTINE)
  found = _evaluation(artifacts)
  cheap = Baseline.read(directory(outputs, nodes.PREDICTIONS))
  state, message = _state(artifacts, components, facts.rulings, error)
  pushed = nodes.PUSHED_MODEL.find(artifacts)
  version = _version(state, pushed, config)
  is_candidate = version is not None and version in list_candidates(config.folder.serving)
  live = None if is_candidate else version
  served = max(list_versions(config.folder.serving), default=live)
  training = TrainingRecord.read(directory(outputs, nodes.MODEL_RUN)) or TrainingRecord()
  run_result = result.RunResult(
    run_id=run_id,
    task=task.name,
    state=state,
    pushed_version=version,
    serving_dir=str(config.folder.serving),
    metrics=found.metrics if found else {},
    gates=facts.rulings,
    model_warnings=[
      *facts.warnings,
      *_worse_spans(outputs, config, task),
      *_damaged_versions(outputs, config, live, served, task.name),
    ],
    components=components,
    examples=facts.examples,
    recognized=facts.recognized,
    data_findings=facts.findings,
    spans=facts.spans,
    warm_start=training.warm_start.to_json() if training.warm_start else None,
    report=None,
    error=message,
    hint=_next(task, config, version, served if live is not None else None)
    if version is not None
    else None,
    bad_input=isinstance(user_error(error), BadInputError),
    busy=isinstance(user_error(error), BusyError),
    served_version=served if live not in (None, served) else None,
    candidate=is_candidate,
    baseline=cheap.to_json() if cheap else None,
  )
  trials = Trials.read(directory(outputs, nodes.TUNER_RESULTS))
  shown = _shown_evaluation(found, outputs, task) or {}
  counted = facts.counted or Summary()
  return RunRecord(
    result=run_result,
    quarantine_dir=quarantine,
    report={
      "data_path": config.data_path,
      "data_page": _data_page(outputs, config),
      "hyperparameters": training.hyperparameters,
      "phases": training.phases,
      "history": training.epochs,
      "chosen": training.chosen,
      "advice": advice(training, labels=counted.labels, per_class=shown.get("per_class", ())),
      "calibration": training.calibration,
      "certainty": training.certainty,
      "tuning": trained.ranked(trials) if trials else None,
      "tuned": training.tuned,
      "evaluation": shown or None,
      "baseline": cheap,
      "behaviour": Behaviour.read(directory(outputs, nodes.BEHAVIOUR)),
      "parity": Parity.read(directory(outputs, nodes.PARITY)),
      "data_checks": facts.data.checks,
      "quarantine": _rejected(quarantine),
      "statistics": counted,
      "drift": facts.drift or _refused_drift(components, outputs, config),
      "versions": package_versions(),
      **shown_rows(
        directory(outputs, nodes.PREDICTIONS),
        input_kind=task.input.kind,
        data_path=config.data_path,
        one_class=task.problem.has_one_class,
        previous=previous,
      ),
    },
  )


def _refused_drift(
  components: list[result.ComponentResult], outputs: Outputs, config: PipelineConfig
) -> Drift | None:
  """Returns the comparison by which DriftGate refused the data of this run; None if it did not."""
  gate = nodes.DRIFT_GATE.id
  profile = Profile.read(directory(outputs, nodes.PROFILE))
  if profile is None or not any(c.id == gate and c.state == nodes.FAILED for c in components):
    return None
  refused = Drift.read(config.folder.drift.parent, REFUSED_FILE)
  return refused if refused is not None and refused.data == profile.data else None


def _state(
  artifacts: Artifacts,
  components: list[result.ComponentResult],
  rulings: list[Ruling],
  error: BaseException | None,
) -> tuple[str, str | None]:
  """Returns the run's state, and the message if it failed or was refused."""
  known = user_error(error)
  if isinstance(known, DataRefusedError):
    return result.REFUSED_DATA, str(known)
  failed = [c.id for c in components if c.state == nodes.FAILED]
  if failed:
    what = str(known) if known else f"{type(error).__name__}: {error}" if error else "see the log"
    return result.FAILED, f"{failed[0]} failed: {what}"
  blessings = [nodes.Output(node, "blessing").find(artifacts) for node in nodes.model_gates()]
  if any(blessing is not None and not _blessed(blessing) for blessing in blessings):
    refused = "; ".join(
      f"{ruling.metric} is {_number(ruling.value)}, must be {ruling.bound}: {ruling.reason}"
      for ruling in rulings
      if not ruling.passed
    )
    return result.REFUSED_MODEL, f"The model was refused. {refused}"
  # If only checks ran again, the version of an earlier run is still served.
  pusher = nodes.VERSIONED_PUSHER.id
  pushed = any(c.id == pusher and c.state == nodes.COMPLETE for c in components)
  return result.PUSHED if pushed else result.CACHED, None


def _next(task: Task, config: PipelineConfig, version: int, served: int | None) -> str:
  """Returns the command to try next: asks the served version; if that is another, serves this one.

  A candidate, beside which `served` is None, is promoted.

  The command works unchanged if the run was trained on the task's sample data.
  """
  place = _place(config)
  if served is None:
    return f"dlpipe promote {task.name} {version}{place}"
  if served != version:
    return f"dlpipe rollback {task.name} --to {version}{place}"
  asked = "--sample"
  if not is_shipped(config.data_path, task.name):
    asked = "FILE" if task.input.kind == "file" else '"some text"'
  return f"dlpipe predict {task.name} {asked}{place}"


def _place(config: PipelineConfig) -> str:
  """Returns the option `--workspace` for a command to copy, if the workspace is not the default."""
  return Workspace.of(config.workspace).option


def _number(value: float | None) -> str:
  return "unknown" if value is None else f"{value:.4g}"


def _blessed(artifact: metadata_store_pb2.Artifact) -> bool:
  return (
    artifact.custom_properties[evaluator_constants.ARTIFACT_PROPERTY_BLESSED_KEY].int_value == 1
  )


def _version(
  state: str, pushed: metadata_store_pb2.Artifact | None, config: PipelineConfig
) -> int | None:
  """Returns the version this run pushed; if it had nothing to push, the one that is served."""
  if pushed is None:
    return None
  if state == result.CACHED and pushed_version(pushed) not in list_candidates(
    config.folder.serving
  ):
    return max(list_versions(config.folder.serving), default=None)
  return pushed_version(pushed)


def _worse_spans(outputs: Outputs, config: PipelineConfig, task: Task) -> list[str]:
  """Returns warnings of spans whose labels the model contradicts more than those of others."""
  place = directory(outputs, nodes.PREDICTIONS)
  spans = pattern.parse(config.data_path) if config.spans is not None else None
  if place is None or spans is None or not task.problem.has_classes:
    return []
  if not (place / FILE).is_file():
    return []
  rows = table.read(place, without=["input", "scores"])
  return list(by_span.worse_spans(rows, spans.span_of))


def _damaged_versions(
  outputs: Outputs, config: PipelineConfig, version: int | None, served: int | None, task: str
) -> list[str]:
  """Returns warnings of damaged files in the served directory, for a run that names a version."""
  if version is None:
    return []
  said = []
  pushed = Pushed.read(directory(outputs, nodes.PUSHED_MODEL))
  repairs = pushed.repairs if pushed else None
  place = config.folder.serving
  if repairs is not None and is_damaged(place, repairs):
    said.append(
      f"Version {repairs} in {place} is damaged: its files are not those that were pushed. Delete "
      "it when no server holds it."
    )
  if served is not None and is_damaged(place, served):
    ways = repair_of(place).commands(task, _place(config))
    said.append(
      f"Version {served}, which servers take for the newest, is damaged: its files are not those "
      f"that were published. `{ways[-1]}` serves a whole one under the next number."
    )
  return said


def _evaluation(artifacts: Artifacts) -> evaluation.Evaluation | None:
  artifact = nodes.EVALUATION.find(artifacts)
  return evaluation.read_evaluation(artifact.uri) if artifact is not None else None


def _shown_evaluation(
  found: evaluation.Evaluation | None, outputs: Outputs, task: Task
) -> dict[str, Any] | None:
  if found is None:
    return None
  shown: dict[str, Any] = {
    "metrics": found.metrics,
    "intervals": found.intervals,
    "slices": slices.by_need(found),
    "calibration": found.calibration,
  }
  if task.problem.shown:
    names = functools.partial(_vocabulary, outputs, task.problem.vocabulary)
    shown |= load_function(task.problem.shown)(found, names)
  return shown


def _vocabulary(outputs: Outputs, name: str | None) -> list[str]:
  """Returns the labels of the transform graph, ordered by their ids; none without a vocabulary."""
  place = directory(outputs, nodes.TRANSFORM_GRAPH)
  if name is None or place is None:
    return []
  graph = tft.TFTransformOutput(str(place))
  return [label.decode() for label in graph.vocabulary_by_name(name)]


def _data_page(outputs: Outputs, config: PipelineConfig) -> str | None:
  """Returns the address of the page on this data, from the report; None before a `dlpipe check`."""
  examples = directory(outputs, nodes.EXAMPLES)
  page = config.folder.data_page(examples) if examples is not None else None
  if page is None or not page.is_file():
    return None
  return pathlib.PurePath(os.path.relpath(page, config.folder.report("").parent)).as_posix()


def _rejected(directory: pathlib.Path | None) -> list[dict[str, Any]]:
  if directory is None or not (directory / REJECTED_FILE).exists():
    return []
  with (directory / REJECTED_FILE).open(encoding="utf-8") as file:
    return [json.loads(line) for line, _ in zip(file, range(_SHOWN_REJECTED), strict=False)]
