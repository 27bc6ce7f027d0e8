"""Chooses the distribution strategy for the devices of this machine."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf

from dlpipe.errors import BadInputError

CONFIG_EXAMPLE = (
  '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 1}}'
)


def sees_gpu() -> bool:
  """Returns whether TensorFlow sees a GPU."""
  return bool(tf.config.list_physical_devices("GPU"))


def make_strategy() -> tf.distribute.Strategy:
  """Chooses the strategy by workers and devices.

  Several workers in `TF_CONFIG`: MultiWorkerMirroredStrategy. Several GPUs: MirroredStrategy.
  Otherwise the default strategy, on the one GPU or the CPU.

  Raises:
    BadInputError: there are several workers, but TensorFlow already ran an op in this process.
  """
  if worker_count() > 1:
    try:
      return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as err:
      raise BadInputError(
        "To train with the other workers of TF_CONFIG, Trainer needs a process of its own: run "
        f"the pipeline with --processes, or the node with `dlpipe node`. TensorFlow says: {err}"
      ) from err
  return of_this_machine()


def of_this_machine() -> tf.distribute.Strategy:
  """Returns the strategy for the devices of this process; ignores the workers in `TF_CONFIG`."""
  if len(tf.config.list_physical_devices("GPU")) > 1:
    return tf.distribute.MirroredStrategy()
  return tf.distribute.get_strategy()


def worker_count() -> int:
  """Returns the number of workers in `TF_CONFIG`; 1 without it."""
  cluster = tf_config().get("cluster", {})
  return max(1, len(cluster.get("worker", ())) + len(cluster.get("chief", ())))


def is_chief() -> bool:
  """Returns whether this process writes the files that all workers share."""
  config = tf_config()
  task = config.get("task", {})
  if task.get("type", "chief") == "chief":
    return True
  is_first = task.get("type") == "worker" and int(task.get("index", 0)) == 0
  return is_first and "chief" not in config.get("cluster", {})


def tf_config() -> dict[str, Any]:
  """Returns the value of `TF_CONFIG`; empty without it.

  Raises:
    BadInputError: it is no JSON object.
  """
  given = os.environ.get("TF_CONFIG") or "{}"
  try:
    found = json.loads(given)
  except ValueError:
    found = None
  if not isinstance(found, dict):
    raise BadInputError(
      f"TF_CONFIG must be a JSON object: {CONFIG_EXAMPLE}. Received: TF_CONFIG={given!r}"
    )
  return found
