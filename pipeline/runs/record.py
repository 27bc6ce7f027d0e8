"""What a run came to, read back from its artifacts: for the exit code, `--json` and the report."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

import tensorflow_transform as tft
from ml_metadata.proto import metadata_store_pb2
from tfx.components.evaluator import constants as evaluator_constants

from components.versioned_pusher.publish import is_damaged, list_versions
from components.versioned_pusher.repair import repair_of
from dlpipe import nodes
from dlpipe.causes import user_error
from dlpipe.errors import BadInputError, BusyError, DataRefusedError
from pipeline import evaluation
from pipeline.runs import result, trials
from pipeline.runs.facts import directory, read_facts, read_json
from pipeline.runs.pushes import pushed_version
from pipeline.runs.report_data import ReportData
from pipeline.runs.run_files import package_versions
from pipeline.runs.shown_rows import shown_rows
from pipeline.settings.config import PipelineConfig, from_env
from pipeline.shipped import is_shipped
from pipeline.task import Task
from pipeline.training.files import HISTORY_FILE

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
    """What the report shows; `check` is what `dlpipe check` found beside the run's own checks."""
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
) -> RunRecord:
  """Reads every artifact that a run has, as far as it came.

  Args:
    task: what was learnt.
    config: the run's configuration.
    artifacts: node id to output name to artifact, for the nodes that ran.
    components: what each node did.
    error: what ended the run early, if anything.
    run_id: the run's name.
  """
  outputs = {node: {k: a.uri for k, a in some.items()} for node, some in artifacts.items()}
  facts = read_facts(outputs)
  quarantine = directory(outputs, "SourceExampleGen", "quarantine")
  found = _evaluation(artifacts)
  checked = facts.gates
  state, message = _state(artifacts, components, checked, error)
  pushed = artifacts.get("VersionedPusher", {}).get("pushed_model")
  version = _version(state, pushed, config)
  served = max(list_versions(config.serving_dir), default=version)
  run_result = result.RunResult(
    run_id=run_id,
    task=task.name,
    state=state,
    pushed_version=version,
    serving_dir=str(config.serving_dir),
    metrics=found.metrics if found else {},
    gates=checked,
    model_warnings=[
      *facts.model_verdict.get("warnings", []),
      *_damaged_versions(artifacts, config, version, served, task.name),
    ],
    components=components,
    examples=facts.examples,
    recognized=facts.summary.get("recognized", {}),
    data_findings=facts.data_verdict.get("findings", []),
    report=None,
    error=message,
    hint=_next(task, config, version, served) if version is not None else None,
    bad_input=isinstance(user_error(error), BadInputError),
    busy=isinstance(user_error(error), BusyError),
    served_version=served if version not in (None, served) else None,
  )
  model_run = directory(outputs, "Trainer", "model_run")
  training = read_json(model_run, HISTORY_FILE)
  return RunRecord(
    result=run_result,
    quarantine_dir=quarantine,
    report={
      "data_path": config.data_path,
      "hyperparameters": training.get("hyperparameters", {}),
      "phases": training.get("phases", []),
      "history": training.get("epochs", []),
      "tuning": _tuning(directory(outputs, "Tuner", "tuner_results"), training),
      "evaluation": _shown_evaluation(found, artifacts, task),
      "parity": facts.parity or None,
      "data_checks": facts.data_verdict.get("checks", []),
      "quarantine": _rejected(quarantine),
      "statistics": facts.summary,
      "versions": package_versions(),
      **shown_rows(model_run, input_kind=task.input.kind),
    },
  )


def _state(
  artifacts: Artifacts,
  components: list[result.ComponentResult],
  gates: list[result.GateResult],
  error: BaseException | None,
) -> tuple[str, str | None]:
  """The run's state, and the message where it is not well."""
  known = user_error(error)
  if isinstance(known, DataRefusedError):
    return result.REFUSED_DATA, str(known)
  failed = [c.id for c in components if c.state == nodes.FAILED]
  if failed:
    what = str(known) if known else f"{type(error).__name__}: {error}" if error else "see the log"
    return result.FAILED, f"{failed[0]} failed: {what}"
  blessings = [artifacts.get(node, {}).get("blessing") for node in ("Evaluator", "ServingGate")]
  if any(blessing is not None and not _blessed(blessing) for blessing in blessings):
    refused = "; ".join(
      f"{gate.metric} is {_number(gate.value)}, must be {gate.bound}: {gate.reason}"
      for gate in gates
      if not gate.passed
    )
    return result.REFUSED_MODEL, f"The model was refused. {refused}"
  # Where only checks ran again, the push of an earlier run still stands.
  pushed = any(c.id == "VersionedPusher" and c.state == nodes.COMPLETE for c in components)
  return result.PUSHED if pushed else result.CACHED, None


def _next(task: Task, config: PipelineConfig, version: int, served: int | None) -> str:
  """The command to try: the version that is served asked, or, where it is another, this one served.

  On the task's sample data it works as it stands.
  """
  place = _place(config)
  if served != version:
    return f"dlpipe rollback {task.name} --to {version}{place}"
  asked = "--sample"
  if not is_shipped(config.data_path, task.name):
    asked = "FILE" if task.input.kind == "file" else '"some text"'
  return f"dlpipe predict {task.name} {asked}{place}"


def _place(config: PipelineConfig) -> str:
  """What a command to copy needs, where the workspace is not the default one."""
  if config.workspace == os.path.abspath(from_env()):
    return ""
  return f" --workspace {shlex.quote(config.workspace)}"


def _number(value: float | None) -> str:
  return "unknown" if value is None else f"{value:.4g}"


def _blessed(artifact: metadata_store_pb2.Artifact) -> bool:
  return (
    artifact.custom_properties[evaluator_constants.ARTIFACT_PROPERTY_BLESSED_KEY].int_value == 1
  )


def _version(
  state: str, pushed: metadata_store_pb2.Artifact | None, config: PipelineConfig
) -> int | None:
  """The version this run pushed; where it had nothing to push, the one that is served."""
  if pushed is None:
    return None
  if state == result.CACHED:
    return max(list_versions(config.serving_dir), default=None)
  return pushed_version(pushed)


def _damaged_versions(
  artifacts: Artifacts, config: PipelineConfig, version: int | None, served: int | None, task: str
) -> list[str]:
  """What a run that says which version stands has to say of the files that it found there."""
  if version is None:
    return []
  said = []
  pushed = artifacts.get("VersionedPusher", {}).get("pushed_model")
  repairs = (read_json(pathlib.Path(pushed.uri), "pushed.json") if pushed else {}).get("repairs")
  place = config.serving_dir
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
  uri = artifacts.get("Evaluator", {}).get("evaluation")
  return evaluation.read_evaluation(uri.uri) if uri is not None else None


def _shown_evaluation(
  found: evaluation.Evaluation | None, artifacts: Artifacts, task: Task
) -> dict[str, Any] | None:
  if found is None:
    return None
  shown: dict[str, Any] = {
    "metrics": found.metrics,
    "slices": found.slices,
    "calibration": found.calibration,
  }
  if task.vocabulary and found.confusion:
    graph = tft.TFTransformOutput(artifacts["Transform"]["transform_graph"].uri)
    labels = [name.decode() for name in graph.vocabulary_by_name(task.vocabulary)]
    confusion = evaluation.confusion_rows(found, labels)
    shown |= {
      "labels": labels,
      "confusion": confusion,
      "per_class": evaluation.per_class(confusion, labels),
    }
  return shown


def _tuning(folder: pathlib.Path | None, training: Mapping[str, Any]) -> dict[str, Any] | None:
  """The Tuner's trials, and `used`, the values of theirs that the Trainer had."""
  record = trials.read(folder)
  if record is None:
    return None
  return {**record, "trials": trials.ranked(record), "used": training.get("tuned", {})}


def _rejected(directory: pathlib.Path | None) -> list[dict[str, Any]]:
  if directory is None or not (directory / "rejected.jsonl").exists():
    return []
  with (directory / "rejected.jsonl").open(encoding="utf-8") as file:
    return [json.loads(line) for line, _ in zip(file, range(_SHOWN_REJECTED), strict=False)]
