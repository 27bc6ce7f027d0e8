"""Chooses the distribution strategy and the precision for the devices of this machine."""

from __future__ import annotations

import json
import os

import keras
import tensorflow as tf

from dlpipe.errors import BadInputError


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
  cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
  return max(1, len(cluster.get("worker", ())) + len(cluster.get("chief", ())))


def is_chief() -> bool:
  """Returns whether this process writes the files that all workers share."""
  task = json.loads(os.environ.get("TF_CONFIG") or "{}").get("task", {})
  return task.get("type", "chief") == "chief" or (
    task.get("type") == "worker" and int(task.get("index", 0)) == 0 and not _has_chief()
  )


def _has_chief() -> bool:
  return "chief" in json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})


def set_precision(mixed: bool | None) -> str:
  """Sets Keras' dtype policy; if `mixed` is None, mixed precision is used on a GPU."""
  if mixed is None:
    mixed = sees_gpu()
  policy = "mixed_float16" if mixed else "float32"
  keras.config.set_dtype_policy(policy)
  return policy
