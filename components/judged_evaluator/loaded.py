"""Loads each SavedModel once for all that ask it in a process: TFMA, and then the writer of rows.

To load a model and to ask a signature of it for the first time takes a second each, more than the
answers to thousands of short texts.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

_LOCK = threading.Lock()  # Beam's threads
_kept: dict[str, Any] | None = None


@contextlib.contextmanager
def kept() -> Iterator[None]:
  """Keeps what `saved_model` loads until the block ends; a process may do other work afterwards."""
  global _kept
  _kept = {}
  try:
    yield
  finally:
    _kept = None


def saved_model(path: str) -> Any:
  """Returns a loaded SavedModel, the same for each call within `kept`."""
  with _LOCK:
    if _kept is None:
      return tf.saved_model.load(path)
    if path not in _kept:
      _kept[path] = tf.saved_model.load(path)
    return _kept[path]


def eval_shared_model(eval_saved_model_path: str, **options: Any) -> Any:
  """Returns TFMA's `EvalSharedModel`, which loads by `saved_model`; TFX calls it by its path."""
  import tensorflow_model_analysis as tfma  # others load a model without it

  found = tfma.default_eval_shared_model(eval_saved_model_path=eval_saved_model_path, **options)
  found.model_loader.construct_fn = functools.partial(saved_model, eval_saved_model_path)
  return found
