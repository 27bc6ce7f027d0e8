"""Runs one node in its container: TFX's executor of Kubeflow nodes, with five differences.

- Artifacts in `gs://`, `s3://` and `minio://` are read and written below `/gcs/`, `/s3/` and
  `/minio/`: Kubeflow's launcher downloads inputs to these folders and uploads outputs from them,
  and Vertex AI mounts its buckets there. Half of the nodes need local files, and TensorFlow cannot
  open `s3://` and `minio://`. If Beam's workers run on other machines, Beam nodes keep `gs://`.
- It creates the folders of output artifacts: nodes expect them, but the launcher creates only their
  parents.
- A final status arrives as an object from one backend and as text from another; nodes get text.
- It leaves a note in the workspace, and the last node or one that fails the report of the run.
- A user's error is printed as one message, with its own exit code; other errors as a traceback.

    python -m pipeline.orchestrators.kubeflow.container --executor_class_path ... \\
        --json_serialized_invocation_args '{{$}}' ...
"""

from __future__ import annotations

import json
import logging
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dlpipe.causes import user_error
from dlpipe.ending import end_now
from pipeline.execution.output import quieten_imports
from pipeline.orchestrators.kubeflow.note_taking import Notes
from pipeline.orchestrators.kubeflow.run_notes import Place

_EXECUTOR = "--executor_class_path"
_INVOCATION = "--json_serialized_invocation_args"
_VALUE = re.compile(r"^title: tfx\.(Boolean|Float|Integer|JsonValue|String)$", re.MULTILINE)
_SCHEMES = {"gs://": "gcs", "s3://": "s3", "minio://": "minio"}
_LOCAL_BEAM = ("--runner=DirectRunner", "--runner=FnApiRunner")


def main(argv: Sequence[str]) -> int:
  """Runs one node.

  Args:
    argv: the command's arguments, without its name.

  Returns:
    The exit code: 0, or that of the error.
  """
  quieten_imports()
  logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
  from tfx.dsl.components.base import base_beam_executor
  from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
  from tfx.utils import import_utils

  def execute(arguments: Sequence[str]) -> None:
    parsed = kubeflow_v2_run_executor._parse_flags(list(arguments))
    kubeflow_v2_run_executor.main(parsed)

  folders = mounts(os.environ.get("DLPIPE_MOUNT_ROOT") or "/")
  notes = Notes(Place.of_environment(os.environ))
  try:
    executor = import_utils.import_class_by_path(argv[argv.index(_EXECUTOR) + 1])
    if issubclass(executor, base_beam_executor.BaseBeamExecutor):
      folders = {s: f for s, f in folders.items() if s != "gs://" or set(argv) & set(_LOCAL_BEAM)}
    run(argv, execute, folders, notes)
  except Exception as err:
    known = user_error(err)
    notes.failed(known or err, known.exit_code if known is not None else 1)
    if known is None:
      raise
    sys.stderr.write(f"Error: {known}\n")
    return known.exit_code
  return 0


def mounts(root: str) -> dict[str, str]:
  """Returns the local folder for each URI scheme, below `root`, which is `/` in a container.

  >>> mounts("/")["gs://"]
  '/gcs/'
  """
  return {scheme: os.path.join(root, name, "") for scheme, name in _SCHEMES.items()}


def run(
  argv: Sequence[str],
  execute: Callable[[Sequence[str]], None],
  folders: Mapping[str, str],
  notes: Notes,
) -> None:
  """Runs a node with local paths, then turns them back into URIs in its output.

  Args:
    argv: the command's arguments.
    execute: called with the arguments, in which URIs are replaced by local paths.
    folders: local folders by URI scheme, as from `mounts`.
    notes: is told what the node is given, and what it has made.
  """
  arguments = list(argv)
  at = arguments.index(_INVOCATION) + 1
  invocation = json.loads(arguments[at])
  moved = localise(invocation, folders)
  notes.begun(invocation)
  make_folders(invocation)
  arguments[at] = json.dumps(invocation)
  execute(arguments)
  output = pathlib.Path(invocation["outputs"]["outputFile"])
  result = json.loads(output.read_text(encoding="utf-8")) if output.exists() else {}
  notes.done(result)
  if moved:
    restore(result, folders)
    output.write_text(json.dumps(result), encoding="utf-8")


def localise(invocation: dict[str, Any], folders: Mapping[str, str]) -> bool:
  """Replaces URIs by local paths, and parameters that are objects by JSON text, in place.

  Args:
    invocation: an `ExecutorInput` as JSON.
    folders: local folders by URI scheme, as from `mounts`.

  Returns:
    Whether an artifact's URI was replaced.
  """
  moved = False
  inputs, outputs = invocation.get("inputs", {}), invocation["outputs"]
  for artifact in (*_artifacts(inputs), *_artifacts(outputs)):
    uri = artifact.get("uri", "")
    artifact["uri"] = _replace_beginning(uri, folders)
    moved = moved or artifact["uri"] != uri
  if moved:
    outputs["outputFile"] = _replace_beginning(outputs["outputFile"], folders)
  parameters = inputs.get("parameterValues", {})
  for name, value in parameters.items():
    if isinstance(value, dict):
      parameters[name] = json.dumps(value)
  return moved


def make_folders(invocation: Mapping[str, Any]) -> None:
  """Makes the local folders of output artifacts, except of value artifacts, which are files."""
  for artifact in _artifacts(invocation["outputs"]):
    kind = artifact.get("type", {})
    schema = kind.get("instanceSchema") or f"title: {kind.get('schemaTitle', '')}"
    if artifact.get("uri", "").startswith("/") and not _VALUE.search(schema):
      pathlib.Path(artifact["uri"]).mkdir(parents=True, exist_ok=True)


def restore(output: dict[str, Any], folders: Mapping[str, str]) -> None:
  """Replaces the local paths of an `ExecutorOutput`, as JSON, by URIs, in place."""
  for artifact in _artifacts(output):
    schemes = {folder: scheme for scheme, folder in folders.items()}
    artifact["uri"] = _replace_beginning(artifact.get("uri", ""), schemes)


def _replace_beginning(text: str, beginnings: Mapping[str, str]) -> str:
  for old, new in beginnings.items():
    if text.startswith(old):
      return new + text.removeprefix(old)
  return text


def _artifacts(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  for named in message.get("artifacts", {}).values():
    yield from named.get("artifacts", [])


if __name__ == "__main__":
  end_now(main(sys.argv[1:]))
