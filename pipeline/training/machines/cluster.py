"""How the workers of one training find each other's arguments; addresses are `TF_CONFIG`'s.

The chief runs inside a pipeline and knows what to train on. It writes that down where checkpoints
are, which all workers see; the others read it and call the same `run_fn`.
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
from typing import Any

from dlpipe.errors import BadInputError

_FILE = "training.json"
_KEPT = ("train_files", "eval_files", "transform_output", "hyperparameters", "custom_config")
_POLL_S = 0.5


@contextlib.contextmanager
def announced(fn_args: Any) -> Iterator[None]:
  """Tells the other workers what is trained, as long as it is."""
  root = fn_args.custom_config.get("checkpoint_root")
  if root is None:
    raise BadInputError(
      "Several workers need a workspace that all of them see. Received: a training without one."
    )
  path = pathlib.Path(root) / _FILE
  path.parent.mkdir(parents=True, exist_ok=True)
  staged = path.with_suffix(".staged")
  staged.write_text(json.dumps({name: getattr(fn_args, name) for name in _KEPT}))
  staged.replace(path)
  try:
    yield
  finally:
    path.unlink(missing_ok=True)


def await_training(checkpoint_root: pathlib.Path, own_dir: str) -> types.SimpleNamespace:
  """Waits until the chief trains, for as long as that takes.

  Args:
    checkpoint_root: the chief's.
    own_dir: where this worker may write what only the chief's copy of is kept.

  Returns:
    What `run_fn` reads of FnArgs.
  """
  host, port = _chief_address()
  path = checkpoint_root / _FILE
  while True:
    # The chief writes before it listens: where it listens, the file is not an earlier training's.
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5):
      arguments = json.loads(path.read_text())
      return types.SimpleNamespace(
        **arguments,
        serving_model_dir=os.path.join(own_dir, "serving_model_dir"),
        model_run_dir=os.path.join(own_dir, "model_run"),
      )
    time.sleep(_POLL_S)


def _chief_address() -> tuple[str, int]:
  cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
  addresses = cluster.get("chief") or cluster.get("worker")
  if not addresses:
    raise BadInputError(
      "TF_CONFIG must name the workers, such as "
      '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
      '"task": {"type": "worker", "index": 1}}. '
      f"Received: {os.environ.get('TF_CONFIG')!r}"
    )
  host, _, port = addresses[0].rpartition(":")
  return host, int(port)
