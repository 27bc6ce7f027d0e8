"""Finds the checkpoint that a training resumes from: one with the same inputs, or none.

A path or an execution's number does not identify a training, because a new metadata store counts
from 1 again. So a checkpoint's folder is named after a hash of all that the training reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from dlpipe import progress
from pipeline.params import Params, Role
from pipeline.training.files import STATE_FILE
from pipeline.training.machines import strategy

if TYPE_CHECKING:
  from tfx.components.trainer.fn_args_utils import FnArgs

_FINISHED_FILE = "finished.json"
_BLOCK = 1 << 20


class TrainingFolder:
  """The folder in which one training keeps its checkpoint until it is complete.

  Decoding settings do not change the weights. So a task that has such settings keeps its finished
  training: if only they changed, the next run exports it again without training. If nothing
  changed, the run trains anew.
  """

  def __init__(self, path: pathlib.Path, decoding: dict[str, Any]):
    """Opens nothing yet.

    Args:
      path: the folder.
      decoding: the settings that only decoding reads, by name.
    """
    self.path = path
    self._decoding = decoding

  def open(self) -> None:
    """Deletes the folders of other trainings, and a finished training that cannot be reused."""
    if not strategy.is_chief():
      return
    for other in self.path.parent.glob("*"):
      if other != self.path and other.is_dir():
        shutil.rmtree(other, ignore_errors=True)
    if not (self.path / _FINISHED_FILE).exists():
      return
    if self._finished_otherwise() and (self.path / STATE_FILE).exists():
      progress.report(
        "trained before with the same data, code and settings: only decoding is other, and the "
        "model is exported again",
        epoch=0,
      )
    else:
      shutil.rmtree(self.path)

  def close(self) -> None:
    """Marks the training as finished, or deletes its folder.

    Called after the model and its record are written.
    """
    if not strategy.is_chief() or not self.path.exists():
      return
    if self._decoding and strategy.worker_count() == 1:
      (self.path / _FINISHED_FILE).write_text(json.dumps(self._decoding), encoding="utf-8")
    else:
      shutil.rmtree(self.path)

  def _finished_otherwise(self) -> bool:
    try:
      before = json.loads((self.path / _FINISHED_FILE).read_text(encoding="utf-8"))
    except ValueError:
      return False
    return bool(before != json.loads(json.dumps(self._decoding)))


def folder_of(fn_args: FnArgs, params: Params) -> TrainingFolder | None:
  """Returns the checkpoint folder of a training; None if `checkpoint_root` is not set.

  Two trainings share a folder if the code, the settings and every byte of the examples and of the
  transform graph are the same; the paths of these files do not matter.
  """
  config = dict(fn_args.custom_config)
  root = config.pop("checkpoint_root", None)
  if root is None:
    return None
  decoding = params.as_json(Role.DECODE)
  trained = {name: v for name, v in params.as_json().items() if name not in decoding}
  name = identity_of(fn_args, {**config, "hyperparameters": trained}, fn_args.transform_output)
  return TrainingFolder(pathlib.Path(root) / name, decoding)


def identity_of(fn_args: FnArgs, config: Mapping[str, Any], graph: str) -> str:
  """Returns a hash of all that a training reads.

  Args:
    fn_args: TFX's FnArgs, with the files of the examples.
    config: the settings and the fingerprint of the code, as JSON.
    graph: the folder of the transform graph.
  """
  identity = [
    config,
    [keras.__version__, tf.__version__],
    [_content(_matching(files)) for files in (fn_args.train_files, fn_args.eval_files)],
    _content(_below(graph)),
  ]
  return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _matching(patterns: list[str]) -> list[tuple[str, str]]:
  """Returns `(file name, path)` of every file that matches a pattern."""
  paths = (path for pattern in patterns for path in tf.io.gfile.glob(pattern))
  return sorted((os.path.basename(path), path) for path in paths)


def _below(root: str) -> list[tuple[str, str]]:
  """Returns `(path relative to root, path)` of every file below a folder."""
  paths = [
    os.path.join(folder, name) for folder, _, names in tf.io.gfile.walk(root) for name in names
  ]
  return sorted((os.path.relpath(path, root), path) for path in paths)


def _content(files: list[tuple[str, str]]) -> str:
  """Returns the SHA-256 of names, sizes and bytes."""
  digest = hashlib.sha256()
  for name, path in files:
    digest.update(f"{name}\0{tf.io.gfile.stat(path).length}\0".encode())
    with tf.io.gfile.GFile(path, "rb") as file:
      while block := file.read(_BLOCK):
        digest.update(block)
  return digest.hexdigest()
