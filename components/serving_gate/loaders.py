"""TensorFlow's two SavedModel loaders behind one function type, with errors that neither reports.

Not `serving.models.local_model`: the gate proves that TensorFlow's own loaders can read the model.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tfx.dsl.io import fileio

from components.serving_gate.serving_ops import UsedOp, ops_of
from dlpipe.workspace import MODEL_FILE
from serving.op_libraries import register_ops

# (signature, input name, values) -> output name to array.
Run = Callable[[str, str, np.ndarray], dict[str, np.ndarray]]

# Words that TensorFlow may print before its message.
_PREAMBLE = ("Graph execution error:", "Detected at node", "root error(s) found.")


@contextlib.contextmanager
def load_tf2(model_dir: str) -> Iterator[tuple[Run, frozenset[str]]]:
  """Loads as Python and TFMA do; gives a function that runs signatures, and their names."""
  register_ops()
  functions = tf.saved_model.load(model_dir).signatures

  def run(signature: str, input_name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    _check(signature, functions)
    function = functions[signature]
    _check_input(input_name, function.structured_input_signature[1])
    return {k: v.numpy() for k, v in function(**{input_name: tf.constant(values)}).items()}

  yield run, frozenset(functions)


@contextlib.contextmanager
def load_tf1(model_dir: str) -> Iterator[tuple[Run, frozenset[str]]]:
  """Loads as TensorFlow Serving and BulkInferrer do, into a graph and a session of the model.

  The graph runs as it is written. Optimizing it takes longer than all other work here, and the
  model server, which loads in the same way, answers from the optimized graph.
  """
  register_ops()
  config = tf.compat.v1.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  with tf.compat.v1.Session(graph=tf.Graph(), config=config) as session:
    meta_graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], model_dir)
    definitions = meta_graph.signature_def

    def run(signature: str, input_name: str, values: np.ndarray) -> dict[str, np.ndarray]:
      _check(signature, definitions)
      definition = definitions[signature]
      _check_input(input_name, definition.inputs)
      fetches = {name: tensor.name for name, tensor in definition.outputs.items()}
      return session.run(fetches, {definition.inputs[input_name].name: values})

    yield run, frozenset(definitions)


def used_ops(model_dir: str) -> set[UsedOp]:
  """Returns the ops of a SavedModel, those within its functions included."""
  with fileio.open(os.path.join(model_dir, MODEL_FILE), "rb") as f:
    model = saved_model_pb2.SavedModel.FromString(f.read())
  return {op for each in model.meta_graphs for op in ops_of(each.graph_def)}


def first_line(error: BaseException) -> str:
  """Returns the first line of an error's message that says something, with the error's type."""
  lines = [line.strip() for line in str(error).splitlines()]
  telling = [line for line in lines if line and not any(p in line for p in _PREAMBLE)]
  return f"{type(error).__name__}: {telling[0]}" if telling else type(error).__name__


def _check(signature: str, known: Collection[str]) -> None:
  if signature not in known:
    raise ValueError(f"the model has no such signature; it has {', '.join(sorted(known))}")


def _check_input(name: str, known: Collection[str]) -> None:
  if set(known) != {name}:
    raise ValueError(f"expected the input {name!r}; the signature takes {sorted(known)}")
