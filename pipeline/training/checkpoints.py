"""Which checkpoint a training goes on from: one that began with the same content, or none.

A path or an execution's number says nothing of what lies there, because a new metadata store counts
from 1 again. So a checkpoint's folder is named after what was read.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
from typing import Any

import keras
import tensorflow as tf

from dlpipe import progress
from pipeline.params import Params, Role
from pipeline.training.files import STATE_FILE
from pipeline.training.machines import strategy

_FINISHED_FILE = "finished.json"
_BLOCK = 1 << 20


class TrainingFolder:
  """Where one training keeps its checkpoint until it is complete.

  Another decoding is no different training. A task that has any keeps its finished training, and
  another decoding exports that; the same decoding asks for a new training and gets one.
  """

  def __init__(self, path: pathlib.Path, decoding: dict[str, Any]):
    """Args: `decoding` holds the values that take no part in training."""
    self.path = path
    self._decoding = decoding

  def open(self) -> None:
    """Deletes what other trainings left, and a finished training that is not to be used again."""
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
    """Called when the model and its record are written: nothing is left to go on from."""
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


def folder_of(fn_args: Any, params: Params) -> TrainingFolder | None:
  """The folder of the training that these arguments describe; None where none is kept.

  Two trainings share a folder where the code, the settings and every byte of the examples and of
  the transform graph are the same, wherever these lie.
  """
  config = dict(fn_args.custom_config)
  root = config.pop("checkpoint_root", None)
  if root is None:
    return None
  decoding = params.as_json(Role.DECODE)
  trained = {name: v for name, v in params.as_json().items() if name not in decoding}
  identity = [
    {**config, "hyperparameters": trained},
    [keras.__version__, tf.__version__],
    [_content(_matching(files)) for files in (fn_args.train_files, fn_args.eval_files)],
    _content(_below(fn_args.transform_output)),
  ]
  name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
  return TrainingFolder(pathlib.Path(root) / name, decoding)


def _matching(patterns: list[str]) -> list[tuple[str, str]]:
  """Names and paths of files, the names without their folders."""
  paths = (path for pattern in patterns for path in tf.io.gfile.glob(pattern))
  return sorted((os.path.basename(path), path) for path in paths)


def _below(root: str) -> list[tuple[str, str]]:
  """Names and paths of the files in a folder, the names relative to it."""
  paths = [
    os.path.join(folder, name) for folder, _, names in tf.io.gfile.walk(root) for name in names
  ]
  return sorted((os.path.relpath(path, root), path) for path in paths)


def _content(files: list[tuple[str, str]]) -> str:
  """SHA-256 over names, sizes and bytes."""
  digest = hashlib.sha256()
  for name, path in files:
    digest.update(f"{name}\0{tf.io.gfile.stat(path).length}\0".encode())
    with tf.io.gfile.GFile(path, "rb") as file:
      while block := file.read(_BLOCK):
        digest.update(block)
  return digest.hexdigest()
