"""Both of TensorFlow's SavedModel loaders behind one function type, and what neither reports."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tfx.dsl.io import fileio

# (signature, input name, values) -> output name to array.
Run = Callable[[str, str, np.ndarray], dict[str, np.ndarray]]

# These call back into the Python process that built the graph; a model server has none.
_PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
# What TensorFlow may print before it says what happened.
_PREAMBLE = ("Graph execution error:", "Detected at node", "root error(s) found.")


@contextlib.contextmanager
def load_tf2(model_dir: str) -> Iterator[tuple[Run, frozenset[str]]]:
  """Loads as Python and TFMA do; gives a function that runs signatures, and their names."""
  functions = tf.saved_model.load(model_dir).signatures

  def run(signature: str, input_name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    _check(signature, functions)
    function = functions[signature]
    _check_input(input_name, function.structured_input_signature[1])
    return {k: v.numpy() for k, v in function(**{input_name: tf.constant(values)}).items()}

  yield run, frozenset(functions)


@contextlib.contextmanager
def load_tf1(model_dir: str) -> Iterator[tuple[Run, frozenset[str]]]:
  """Loads as TensorFlow Serving and BulkInferrer do, into a graph and session of its own."""
  with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta_graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], model_dir)
    definitions = meta_graph.signature_def

    def run(signature: str, input_name: str, values: np.ndarray) -> dict[str, np.ndarray]:
      _check(signature, definitions)
      definition = definitions[signature]
      _check_input(input_name, definition.inputs)
      fetches = {name: tensor.name for name, tensor in definition.outputs.items()}
      return session.run(fetches, {definition.inputs[input_name].name: values})

    yield run, frozenset(definitions)


def unservable_ops(model_dir: str) -> list[str]:
  """Names of the ops that a stock TensorFlow Serving cannot run, sorted.

  Here they may well run: a library that some import loaded registers its ops for the whole process,
  and a Python function is still there in the process that exported it.
  """
  with fileio.open(os.path.join(model_dir, "saved_model.pb"), "rb") as f:
    model = saved_model_pb2.SavedModel.FromString(f.read())
  found: set[str] = set()
  for meta_graph in model.meta_graphs:
    library = meta_graph.graph_def.library.function
    functions = {function.signature.name for function in library}
    nodes = [meta_graph.graph_def.node, *(function.node_def for function in library)]
    found |= {node.op for group in nodes for node in group} - functions
  return sorted(op for op in found if op in _PYTHON_OPS or not _is_core_op(op))


def first_line(error: BaseException) -> str:
  """The first line of an error's message that says something, with the error's type."""
  lines = [line.strip() for line in str(error).splitlines()]
  telling = [line for line in lines if line and not any(p in line for p in _PREAMBLE)]
  return f"{type(error).__name__}: {telling[0]}" if telling else type(error).__name__


def _is_core_op(name: str) -> bool:
  # `raw_ops` is generated when TensorFlow is built, so no library adds to it later. It leaves out
  # what is TensorFlow's own under these prefixes.
  return hasattr(tf.raw_ops, name) or name.startswith(("_", "Xla"))


def _check(signature: str, known: Collection[str]) -> None:
  if signature not in known:
    raise ValueError(f"the model has no such signature; it has {', '.join(sorted(known))}")


def _check_input(name: str, known: Collection[str]) -> None:
  if set(known) != {name}:
    raise ValueError(f"expected the input {name!r}; the signature takes {sorted(known)}")
