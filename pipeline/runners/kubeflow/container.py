"""What every node's container starts: TFX's executor of Kubeflow nodes, with four differences.

- Artifacts in `s3://` and `minio://` are read and written below `/s3/` and `/minio/`. Kubeflow's
  launcher has downloaded inputs there and uploads outputs from there; TensorFlow cannot open those
  addresses. `gs://` it can, and is left alone.
- Folders of output artifacts are made: nodes expect them, the launcher makes only their parents.
- A final status arrives as an object from one backend and as text from another; nodes get text.
- What a user can act on is one message, and the exit code is its own; the rest is a traceback.

    python -m pipeline.runners.kubeflow.container --executor_class_path ... \\
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

from pipeline.runners.causes import user_error

_INVOCATION = "--json_serialized_invocation_args"
_VALUE = re.compile(r"^title: tfx\.(Boolean|Float|Integer|JsonValue|String)$", re.MULTILINE)
MOUNTS = {"s3://": "/s3/", "minio://": "/minio/"}


def main(argv: Sequence[str]) -> int:
  """Runs one node.

  Args:
    argv: the command's arguments, without its name.

  Returns:
    The exit code: 0, or what the error says.
  """
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
  os.environ.setdefault("TEMPORARILY_DISABLE_PROTOBUF_VERSION_CHECK", "true")
  logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
  from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

  def execute(arguments: Sequence[str]) -> None:
    parsed = kubeflow_v2_run_executor._parse_flags(list(arguments))
    kubeflow_v2_run_executor.main(parsed)

  try:
    run(argv, execute)
  except Exception as err:
    known = user_error(err)
    if known is None:
      raise
    sys.stderr.write(f"Error: {known}\n")
    return known.exit_code
  return 0


def run(argv: Sequence[str], execute: Callable[[Sequence[str]], None]) -> None:
  """Executes with local paths, and names the artifacts as the backend does when it is done.

  Args:
    argv: the command's arguments.
    execute: takes the arguments with local paths in them.
  """
  arguments = list(argv)
  at = arguments.index(_INVOCATION) + 1
  invocation = json.loads(arguments[at])
  moved = localise(invocation)
  make_folders(invocation)
  arguments[at] = json.dumps(invocation)
  execute(arguments)
  if moved:
    output = pathlib.Path(invocation["outputs"]["outputFile"])
    result = json.loads(output.read_text(encoding="utf-8"))
    restore(result)
    output.write_text(json.dumps(result), encoding="utf-8")


def localise(invocation: dict[str, Any], mounts: Mapping[str, str] = MOUNTS) -> bool:
  """Turns addresses into local paths, and objects among the parameters into text, in place.

  Args:
    invocation: an `ExecutorInput` as JSON.
    mounts: an address's beginning to the folder that stands for it.

  Returns:
    Whether there was an address to turn.
  """
  moved = False
  inputs = invocation.get("inputs", {})
  for artifact in (*_artifacts(inputs), *_artifacts(invocation["outputs"])):
    for scheme, folder in mounts.items():
      if artifact.get("uri", "").startswith(scheme):
        artifact["uri"] = folder + artifact["uri"].removeprefix(scheme)
        moved = True
  parameters = inputs.get("parameterValues", {})
  for name, value in parameters.items():
    if isinstance(value, dict):
      parameters[name] = json.dumps(value)
  return moved


def make_folders(invocation: Mapping[str, Any]) -> None:
  """Makes the folders of output artifacts on the local disk; a value's artifact is a file."""
  for artifact in _artifacts(invocation["outputs"]):
    kind = artifact.get("type", {})
    schema = kind.get("instanceSchema") or f"title: {kind.get('schemaTitle', '')}"
    if artifact.get("uri", "").startswith("/") and not _VALUE.search(schema):
      pathlib.Path(artifact["uri"]).mkdir(parents=True, exist_ok=True)


def restore(output: dict[str, Any], mounts: Mapping[str, str] = MOUNTS) -> None:
  """Turns the local paths of an `ExecutorOutput`, as JSON, into addresses, in place."""
  for artifact in _artifacts(output):
    for scheme, folder in mounts.items():
      if artifact.get("uri", "").startswith(folder):
        artifact["uri"] = scheme + artifact["uri"].removeprefix(folder)


def _artifacts(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  for named in message.get("artifacts", {}).values():
    yield from named.get("artifacts", [])


if __name__ == "__main__":
  code = main(sys.argv[1:])
  sys.stdout.flush()
  sys.stderr.flush()
  # TensorFlow's and Beam's threads have nothing left to say, and would take seconds to end.
  os._exit(code)
