"""Runs of a task as a metadata store and a workspace have them, with artifacts of some bytes."""

from __future__ import annotations

import datetime
import json
import pathlib

from ml_metadata.proto import metadata_store_pb2 as pb

from components.versioned_pusher.publish import list_versions, publish
from dlpipe.workspace import TaskFolder
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection

ARTIFACT_BYTES = 10_000
STARTED = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
_OUT, _IN = pb.Event.OUTPUT, pb.Event.INPUT


class Days:
  """A workspace in which a run is recorded a day, node by node, as TFX records it."""

  def __init__(self, root: pathlib.Path):
    self.folder = TaskFolder(root / "images")
    self.store = sqlite_connection(self.folder.metadata)
    self.models: list[pb.Artifact] = []

  def run(self, day: int, *, state: str = "pushed", data: pb.Artifact | None = None) -> str:
    """Records a run; returns its id.

    Args:
      day: days after `STARTED`.
      state: pushed, refused_model, failed or unfinished.
      data: the examples of an earlier run, if they came from the cache.
    """
    run_id = f"run-{day:03d}"
    moment = int((STARTED + datetime.timedelta(days=day)).timestamp() * 1000)
    with open_store(self.store) as handle:
      self._handle, self._run, self._moment = handle.store, run_id, moment
      if data is None:
        data = self._artifact("SourceExampleGen", "examples", "Examples")
        self._execution("SourceExampleGen", outputs={"examples": data})
      else:
        self._execution("SourceExampleGen", outputs={"examples": data}, state=pb.Execution.CACHED)
      self.examples = data
      if state == "failed":
        self._execution("Trainer", inputs={"examples": data}, state=pb.Execution.FAILED)
      elif state == "unfinished":
        self._execution("Trainer", inputs={"examples": data}, state=pb.Execution.RUNNING)
      else:
        self._model(data, is_good=state == "pushed")
    self.folder.run_file(run_id).parent.mkdir(exist_ok=True)
    for path in (self.folder.report(run_id), self.folder.log(run_id)):
      path.parent.mkdir(exist_ok=True)
      path.write_bytes(b"x" * 1000)
    return run_id

  def paths(self, run_id: str) -> set[pathlib.Path]:
    """The artifacts that a run made."""
    return set(self.folder.artifacts.glob(f"*/*/*-{run_id}"))

  def artifacts(self) -> set[str]:
    return {str(path) for path in self.folder.artifacts.glob("*/*/*")}

  def served(self) -> list[int]:
    return list_versions(self.folder.serving)

  def _model(self, data: pb.Artifact, *, is_good: bool) -> None:
    inputs = {"examples": data}
    model = self._artifact("Trainer", "model", "Model")
    export = pathlib.Path(model.uri) / "Format-Serving"
    export.mkdir()
    (export / "saved_model.pb").write_bytes(self._run.encode())
    self._execution("Trainer", inputs=inputs, outputs={"model": model})
    baseline = {"baseline_model": self.models[-1]} if self.models else {}
    blessing = self._artifact("Evaluator", "blessing", "ModelBlessing")
    verdict = self._artifact("Evaluator", "verdict", "GateVerdict")
    ruling = {"metric": "accuracy", "bound": ">= 0.5", "value": 0.9, "passed": is_good}
    (pathlib.Path(verdict.uri) / "verdict.json").write_text(json.dumps({"gates": [ruling]}))
    blessing.custom_properties["blessed"].int_value = int(is_good)
    blessing.custom_properties["current_model_id"].int_value = model.id
    self._handle.put_artifacts([blessing])
    self._execution(
      "Evaluator",
      inputs={"model": model, **baseline},
      outputs={"blessing": blessing, "verdict": verdict},
    )
    pushed = self._artifact("VersionedPusher", "pushed_model", "PushedModel")
    pushed.custom_properties["pushed"].int_value = int(is_good)
    if is_good:
      self.models.append(model)
      version = publish(export, self.folder.serving, source=model.uri)
      pushed.custom_properties["pushed_version"].string_value = str(version)
    self._handle.put_artifacts([pushed])
    self._execution("VersionedPusher", inputs={"model": model}, outputs={"pushed_model": pushed})

  def _artifact(self, node: str, output: str, kind: str) -> pb.Artifact:
    path = self.folder.artifacts / node / output / f"1-{self._run}"
    path.mkdir(parents=True)
    (path / "data").write_bytes(b"x" * ARTIFACT_BYTES)
    type_id = self._handle.put_artifact_type(pb.ArtifactType(name=kind), can_add_fields=True)
    artifact = pb.Artifact(
      type_id=type_id,
      type=kind,
      uri=str(path),
      state=pb.Artifact.LIVE,
      name=f"{output} {self._run}",
    )
    [artifact.id] = self._handle.put_artifacts([artifact])
    return artifact

  def _execution(self, node, *, inputs=None, outputs=None, state=pb.Execution.COMPLETE) -> None:
    type_id = self._handle.put_execution_type(pb.ExecutionType(name=node), can_add_fields=True)
    execution = pb.Execution(type_id=type_id, last_known_state=state)
    execution.create_time_since_epoch = self._moment
    contexts = []
    for kind, name in (
      ("pipeline", "images"),
      ("pipeline_run", self._run),
      ("node", f"images.{node}"),
    ):
      kind_id = self._handle.put_context_type(pb.ContextType(name=kind), can_add_fields=True)
      found = self._handle.get_context_by_type_and_name(kind, name)
      contexts.append(found or pb.Context(type_id=kind_id, name=name))
    events = [
      (artifact, pb.Event(type=direction, path=_path(key)))
      for direction, some in ((_IN, inputs), (_OUT, outputs))
      for key, artifact in (some or {}).items()
    ]
    self._handle.put_execution(execution, events, contexts)


def _path(key: str) -> pb.Event.Path:
  return pb.Event.Path(steps=[pb.Event.Path.Step(key=key), pb.Event.Path.Step(index=0)])
