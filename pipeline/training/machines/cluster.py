"""Passes the chief's training arguments to the other workers; `TF_CONFIG` holds the addresses.

The chief runs inside a pipeline and has the arguments of `run_fn`. It writes them to the folder of
checkpoints, which all workers share; the others read them there and call the same `run_fn`.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import time
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import BadInputError
from pipeline.training.machines import strategy

if TYPE_CHECKING:
  from tfx.components.trainer.fn_args_utils import FnArgs

_FILE = "training.json"
_KEPT = ("train_files", "eval_files", "transform_output", "hyperparameters", "custom_config")
_POLL_S = 0.5


@contextlib.contextmanager
def announced(fn_args: FnArgs) -> Iterator[None]:
  """Writes the training's arguments for the other workers; removes them when the block ends."""
  root = fn_args.custom_config.get("checkpoint_root")
  if root is None:
    raise BadInputError(
      "Several workers need a workspace that all of them see. Received: a training without one."
    )
  path = pathlib.Path(root) / _FILE
  write_whole(path, json.dumps({name: getattr(fn_args, name) for name in _KEPT}))
  try:
    yield
  finally:
    path.unlink(missing_ok=True)


def await_training(checkpoint_root: pathlib.Path, own_dir: str) -> types.SimpleNamespace:
  """Waits without a limit until the chief trains; returns its arguments.

  Args:
    checkpoint_root: the chief's folder of checkpoints.
    own_dir: folder for this worker's model and record, which nobody reads: the chief's are kept.

  Returns:
    The attributes of FnArgs that `run_fn` reads.
  """
  host, port = _chief_address()
  path = checkpoint_root / _FILE
  while True:
    # The chief writes the file before it listens, so once it listens the file is the current one.
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5):
      arguments = json.loads(path.read_text())
      return types.SimpleNamespace(
        **arguments,
        serving_model_dir=os.path.join(own_dir, "serving_model_dir"),
        model_run_dir=os.path.join(own_dir, "model_run"),
      )
    time.sleep(_POLL_S)


def _chief_address() -> tuple[str, int]:
  cluster = strategy.tf_config().get("cluster", {})
  addresses = cluster.get("chief") or cluster.get("worker")
  if not addresses:
    raise BadInputError(
      f"TF_CONFIG must name the workers, such as {strategy.CONFIG_EXAMPLE}. "
      f"Received: {os.environ.get('TF_CONFIG')!r}"
    )
  host, _, port = addresses[0].rpartition(":")
  return host, int(port)
