"""Loads SavedModels and runs them as TensorFlow Serving does: by tensor names, in a TF1 Session.

`tf.saved_model.load` is the usual way in Python. It costs four times as much for each call, cannot
load every model that TensorFlow Serving loads, and refuses in other words. Besides `tensors` and
`tflite`, only this module runs TensorFlow. Source: tensorflow_serving/servables/
tensorflow/{saved_model_bundle_factory,predict_util}.cc.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.framework import ops
from tensorflow.python.saved_model import loader_impl

from serving.errors import DataLoss, Internal, InvalidArgument, NotFound, error_of_code
from serving.op_libraries import register_ops

Array = np.ndarray[Any, np.dtype[Any]]

# A run in the caller's thread costs a third of one in a pool, but nothing can cancel it. After a
# run that took this long, runs go to a pool, with their deadline, until so many were quick.
_LONG_RUN_S = 0.25
_QUICK_RUNS = 100
_CALLER_THREAD = -1
_POOL = 0
# Each request needs a thread: with fewer, a quick request waits until a long one is done.
_POOL_THREADS = 64

_FUNCTIONS = re.compile(r"\s*(?:\{\{function_node [^{}]*\}\}\s*)+")
_REFUSAL = re.compile(r"assertion failed: \[([^\[\]]*)\]\s*\[\[[^\[\]]*\bservable_input\b")


class Runnable(Protocol):
  """Runs a graph: a session, or batches in front of one."""

  def run(
    self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_s: float | None = None
  ) -> list[Array]:
    """Returns arrays of the tensors that `fetches` names."""

  def close(self) -> None:
    """Frees the memory."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionOptions:
  """How models are loaded and run; the names and defaults of TensorFlow Serving's flags.

  Attributes:
    tags: the tags of the graph to load.
    intra_op_parallelism: threads that one op may use; 0 leaves it to TensorFlow.
    inter_op_parallelism: threads that run ops side by side; 0 leaves it to TensorFlow.
    config: a serialized `ConfigProto`, which the other options override.
  """

  tags: tuple[str, ...] = ("serve",)
  intra_op_parallelism: int = 0
  inter_op_parallelism: int = 0
  config: bytes = b""


class SavedModelSession:
  """One SavedModel in memory. Safe to run from several threads.

  Attributes:
    signatures: name to `SignatureDef`, as the file has them.
  """

  def __init__(self, path: str | os.PathLike[str], options: SessionOptions | None = None):
    """Loads the SavedModel.

    Args:
      path: the folder of `saved_model.pb`.
      options: how to load and run it.

    Raises:
      ServingError: the model is missing or damaged, or this TensorFlow lacks something that it
        needs.
    """
    options = options or SessionOptions()
    self._graph = tf.Graph()
    self._session = tf.compat.v1.Session(graph=self._graph, config=_config(options))
    try:
      meta_graph = _load(self._session, pathlib.Path(path), options.tags)
      self._session._extend_graph()
    except BaseException:
      self.close()
      raise
    self.signatures: Mapping[str, Any] = dict(meta_graph.signature_def)
    self._tensors: dict[str, Any] = {}
    self._runs_in_pool: dict[tuple[str, ...], int] = {}
    self._in_caller_thread = _RunOptions(0, _CALLER_THREAD)
    self._in_pool: dict[int, _RunOptions] = {}

  def run(
    self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_s: float | None = None
  ) -> list[Array]:
    """Runs the part of the graph between named tensors.

    Args:
      feeds: tensor name to value.
      fetches: names of the tensors to compute.
      timeout_s: seconds after which a long run is given up.

    Raises:
      ServingError: the runtime's error, with its code and text.
    """
    outputs = [self._tensor(name) for name in fetches]
    inputs = {self._tensor(name): value for name, value in feeds.items()}
    key = tuple(fetches)
    runs_in_pool = self._runs_in_pool.get(key, 1)
    options = self._pool_options(timeout_s) if runs_in_pool else self._in_caller_thread
    started = time.monotonic()
    try:
      values = self._session._call_tf_sessionrun(options.pointer, inputs, outputs, [], None)
    except tf.errors.OpError as err:
      raise error_of_code(err.error_code, for_caller(str(err.message))) from None
    except RuntimeError as err:
      raise Internal(str(err)) from err
    except (TypeError, ValueError, SystemError) as err:
      raise InvalidArgument(str(err)) from err
    finally:
      if time.monotonic() - started > _LONG_RUN_S:
        self._runs_in_pool[key] = _QUICK_RUNS
      elif runs_in_pool:
        self._runs_in_pool[key] = runs_in_pool - 1
    return [value if type(value) is np.ndarray else _scalar(value) for value in values]

  def close(self) -> None:
    """Frees the memory. No thread may be in `run`."""
    self._session.close()
    # Graph and operations refer to each other: without this they stay until a full garbage
    # collection.
    ops.dismantle_graph(self._graph)

  def _tensor(self, name: str) -> Any:
    found = self._tensors.get(name)
    if found is None:
      try:
        found = self._graph.get_tensor_by_name(name)._as_tf_output()
      except (KeyError, ValueError) as err:
        raise InvalidArgument(
          f"Tensor {name}, specified in either feed_devices or fetch_devices was not found in the "
          "Graph"
        ) from err
      self._tensors[name] = found
    return found

  def _pool_options(self, timeout_s: float | None) -> _RunOptions:
    timeout_ms = 0 if timeout_s is None else max(1, math.ceil(timeout_s * 1000))
    if timeout_ms % 1000:
      return _RunOptions(timeout_ms, _POOL)
    if timeout_ms not in self._in_pool:
      self._in_pool[timeout_ms] = _RunOptions(timeout_ms, _POOL)
    return self._in_pool[timeout_ms]


def _scalar(value: Any) -> Array:
  """Returns an array of the scalar that TensorFlow returns for a tensor without dimensions."""
  return np.array(value, object if isinstance(value, bytes) else None)


class _RunOptions:
  """A `RunOptions` message in the memory of TensorFlow's C API; freed with this object."""

  def __init__(self, timeout_ms: int, pool: int):
    message = tf.compat.v1.RunOptions(timeout_in_ms=timeout_ms, inter_op_thread_pool=pool)
    self.pointer = pywrap_tf_session.TF_NewBufferFromString(message.SerializeToString())

  # A default argument, because at the interpreter's end the module's names are gone before this.
  def __del__(self, delete: Callable[[Any], None] = pywrap_tf_session.TF_DeleteBuffer) -> None:
    delete(self.pointer)


# Two threads must not build graphs in Python at once: some of the state belongs to the process.
_LOADING = threading.Lock()


def _load(session: Any, path: pathlib.Path, tags: Sequence[str]) -> Any:
  """Reads the SavedModel into a session; returns its `MetaGraphDef`."""
  if not any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
    raise NotFound(
      f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. Check "
      "that the directory exists and that you have the right permissions for accessing it."
    )
  try:
    with _LOADING, session.graph.as_default():
      register_ops()
      # What `tf.compat.v1.saved_model.load` calls after a warning that it is deprecated.
      return loader_impl.SavedModelLoader(os.fspath(path)).load(session, list(tags))
  except tf.errors.OpError as err:
    raise error_of_code(err.error_code, str(err.message)) from err
  except RuntimeError as err:  # TensorFlow's error for tags that no graph has
    raise NotFound(
      f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To inspect "
      "available tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    ) from err
  except OSError as err:
    raise DataLoss(f"Can't parse {path / 'saved_model.pb'} as binary proto") from err
  except (ValueError, KeyError, TypeError) as err:
    raise Internal(f"{path}: {err}") from err


def _config(options: SessionOptions) -> Any:
  config = tf.compat.v1.ConfigProto.FromString(options.config)
  if options.intra_op_parallelism:
    config.intra_op_parallelism_threads = options.intra_op_parallelism
  if options.inter_op_parallelism:
    config.inter_op_parallelism_threads = options.inter_op_parallelism
  if not config.session_inter_op_thread_pool:
    size = options.inter_op_parallelism or config.inter_op_parallelism_threads or _POOL_THREADS
    config.session_inter_op_thread_pool.add(num_threads=size, global_name=f"serving_{size}")
  rewrites = config.graph_options.rewrite_options
  if not rewrites.memory_optimization:
    # This optimization saves memory in training only, and prints a warning for each softmax whose
    # rank is unknown.
    rewrites.memory_optimization = rewrites.NO_MEM_OPT
  if not rewrites.meta_optimizer_iterations:
    # The second pass costs as much time as the first, before the first answer of each signature,
    # and finds next to nothing in a graph for inference.
    rewrites.meta_optimizer_iterations = rewrites.ONE
  return config


def for_caller(message: str) -> str:
  r"""Returns the message of a graph's error as the caller gets it: the sentence first.

  TensorFlow Serving passes the graph's message through, and so does this server, every word of it,
  with two differences. The names of functions, which fill some hundred characters before the
  sentence, follow it. And if a model refuses an input in words that are for its caller, by an
  assertion in the scope `servable_input` (as `pipeline.training.export.signatures` exports it), the
  caller gets only these words.

  >>> for_caller("{{function_node f}} In[0] is [1,3]\n\t [[{{node MatMul}}]]")
  'In[0] is [1,3]\n\t [[{{node MatMul}}]] {{function_node f}}'
  """
  if refusal := _REFUSAL.search(message):
    return refusal[1]
  functions = _FUNCTIONS.match(message)
  if functions is None:
    return message
  return f"{message[functions.end() :]} {functions[0].strip()}"
