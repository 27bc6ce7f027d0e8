"""What each container leaves in the workspace about its node, for the report of the run.

A backend keeps its own metadata, and artifacts in an object store. What `dlpipe run` would leave is
made of what is here: a note for each node that ran, and copies of the artifacts that are read after
a run. A node that came from the backend's cache starts no container; its artifacts are known from
the inputs of those that did.

    <workspace>/<task>/notes/<run>/<node>.json
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe import nodes
from dlpipe.disk.whole_files import write_whole
from pipeline.settings.config import PipelineConfig

# Variables of a container, which the spec sets.
NODE, PRODUCERS, PIPELINE = "DLPIPE_NODE", "DLPIPE_PRODUCERS", "DLPIPE_PIPELINE"
# As nodes call the runtime parameters.
PARAMETERS = ("data_path", "max_bad_fraction", "min_severity")
_TITLE = re.compile(r"title: ([\w.]+)")
_KEPT = {(output.node.id, output.name) for output in nodes.READ_AFTER_RUN}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
  """A node's place in its pipeline.

  Attributes:
    node: the node's id.
    producers: by the name of an input, the node and the output that it comes from.
    node_ids: all nodes of the pipeline, each after those it waits for.
    config: what the pipeline was told, with the paths of the containers.
  """

  node: str
  producers: Mapping[str, tuple[str, str]]
  node_ids: tuple[str, ...]
  config: PipelineConfig

  @classmethod
  def of_environment(cls, environ: Mapping[str, str]) -> Place | None:
    """Returns the place that a container is told; None in a spec of an older release."""
    if PIPELINE not in environ:
      return None
    pipeline = json.loads(environ[PIPELINE])
    return cls(
      node=environ[NODE],
      producers={n: (node, key) for n, (node, key) in json.loads(environ[PRODUCERS]).items()},
      node_ids=tuple(pipeline["nodes"]),
      config=PipelineConfig.model_validate(pipeline["config"]),
    )

  def run_of(self, invocation: Mapping[str, Any]) -> str | None:
    """Returns the run's name: in the addresses of its outputs, it stands before the node's.

    Args:
      invocation: an `ExecutorInput` as JSON.

    Returns:
      The name; None for a node without outputs.
    """
    own = re.compile(rf"{re.escape(self.node)}([-_].*)?")
    for artifact in _named(invocation["outputs"]).values():
      parts = artifact.get("uri", "").split("/")
      for before, part in zip(reversed(parts[:-1]), reversed(parts[1:]), strict=True):
        if own.fullmatch(part) and before:
          return before
    return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kept:
  """An artifact, as it can be read after the run.

  Attributes:
    kind: its type's name, such as `ModelBlessing`.
    path: the folder of its copy in the workspace; empty if it has none.
    properties: its custom properties.
  """

  kind: str
  path: str
  properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Note:
  """What became of one node, in one container.

  Attributes:
    node: the node's id.
    started: seconds since 1970.
    seconds: wall time.
    peak_rss_mb: the most memory its process held, in MB of 10^6 bytes.
    exit_code: that of the container.
    error: the message, if it failed.
    parameters: what the node was told of `run_parameters`, by the name in the configuration.
    found: artifacts by "node/output": its outputs, unless it failed, and its inputs.
  """

  node: str
  started: float
  seconds: float
  peak_rss_mb: float
  exit_code: int
  error: str | None
  parameters: Mapping[str, Any]
  found: Mapping[str, Kept]


def keep(
  place: Place, invocation: Mapping[str, Any], result: Mapping[str, Any] | None
) -> dict[str, Kept]:
  """Copies what is read after the run from a container's local folders into the workspace.

  Args:
    place: the node's.
    invocation: an `ExecutorInput` as JSON, with local paths.
    result: the `ExecutorOutput` as JSON; None if the node failed.
  """
  found = {}
  for name, artifact in _named(invocation.get("inputs", {})).items():
    if name in place.producers:
      node, output = place.producers[name]
      found[f"{node}/{output}"] = _kept(place, node, output, artifact, {})
  if result is not None:
    told = _named(result)
    for name, artifact in _named(invocation["outputs"]).items():
      properties = told.get(name, {}).get("metadata", {})
      found[f"{place.node}/{name}"] = _kept(place, place.node, name, artifact, properties)
  return found


def parameters(invocation: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what a node was told of the parameters that a run may say anew."""
  told: Mapping[str, Any] = invocation.get("inputs", {}).get("parameterValues", {})
  return {name: told[name] for name in PARAMETERS if name in told}


def write(place: Place, run_id: str, note: Note) -> None:
  """Writes a note, whole or not at all; a second try replaces that of the first."""
  path = _folder(place.config, run_id) / f"{note.node}.json"
  write_whole(path, json.dumps(dataclasses.asdict(note)))


def read(config: PipelineConfig, run_id: str) -> list[Note]:
  """Reads the notes of a run, the earliest first."""
  return _read(_folder(config, run_id))


def read_all(config: PipelineConfig) -> list[Note]:
  """Reads the notes of every run that is not cleaned."""
  runs = _folder(config, "*").parent
  return [note for run in (runs.iterdir() if runs.is_dir() else ()) for note in _read(run)]


def _read(folder: pathlib.Path) -> list[Note]:
  found = []
  for path in folder.glob("*.json"):
    values = json.loads(path.read_text(encoding="utf-8"))
    artifacts = {name: Kept(**each) for name, each in values.pop("found").items()}
    found.append(Note(**values, found=artifacts))
  return sorted(found, key=lambda note: note.started)


def _folder(config: PipelineConfig, run_id: str) -> pathlib.Path:
  return config.folder.notes(run_id)


def _named(message: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
  """Returns the first artifact of each name in a message."""
  return dict(_artifacts(message))


def _artifacts(message: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
  for name, some in message.get("artifacts", {}).items():
    yield from ((name, artifact) for artifact in some.get("artifacts", [])[:1])


def _kept(
  place: Place, node: str, output: str, artifact: Mapping[str, Any], properties: Mapping[str, Any]
) -> Kept:
  kind = artifact.get("type", {})
  title = kind.get("schemaTitle") or "".join(_TITLE.findall(kind.get("instanceSchema", ""))[:1])
  path = ""
  if (node, output) in _KEPT and os.path.isdir(artifact.get("uri", "")):
    path = _copied(place.config, node, output, artifact["uri"])
  return Kept(
    kind=title.rpartition(".")[2],
    path=path,
    properties={**artifact.get("metadata", {}), **properties},
  )


def _copied(config: PipelineConfig, node: str, output: str, source: str) -> str:
  """Copies a folder into the workspace, once; returns the path of the copy."""
  name = hashlib.sha256(source.encode()).hexdigest()[:16]
  target = config.folder.artifacts / node / output / name
  if target.exists():
    return str(target)
  target.parent.mkdir(parents=True, exist_ok=True)
  partial = pathlib.Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
  try:
    shutil.copytree(source, partial, dirs_exist_ok=True, copy_function=shutil.copyfile)
    try:
      partial.rename(target)
    except OSError:
      if not target.exists():  # else another container was first
        raise
  finally:
    shutil.rmtree(partial, ignore_errors=True)
  return str(target)
