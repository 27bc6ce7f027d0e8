"""What `ServingGate` reads of an export before, and of an error after, it loads the export."""

import importlib

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from components.serving_gate.loaders import first_line, used_ops
from components.serving_gate.replay import op_reasons
from components.serving_gate.serving_ops import UsedOp, release_of_tag


def test_ops_within_functions_are_found_and_functions_are_none(tmp_path):
  model = saved_model_pb2.SavedModel()
  graph = model.meta_graphs.add().graph_def
  function = graph.library.function.add()
  function.signature.name = "__inference_call_1"
  for op in ("MatMul", "SentencepieceTokenizeOp", "__inference_call_1"):
    function.node_def.add().op = op
  compiled = graph.library.function.add()
  compiled.signature.name = "__inference_call_2"
  compiled.attr["_XlaMustCompile"].b = True
  compiled.node_def.add().op = "FFTND"
  node = graph.node.add(op="Softmax")
  node.attr["T"].type = 1
  node.attr["_output_shapes"].list.SetInParent()
  (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
  assert used_ops(str(tmp_path)) == {
    UsedOp(name="MatMul"),
    UsedOp(name="SentencepieceTokenizeOp"),
    UsedOp(name="FFTND", by_xla=True),
    UsedOp(name="Softmax", attributes=frozenset({"T"})),
  }


def _save_recurrent(path):
  layer = keras.layers.GRU(3)
  layer.build([None, None, 2])
  module = tf.Module()
  module.variables_by_value = [variable.value for variable in layer.variables]
  module.call = tf.function(
    lambda steps: {"y": layer(steps)}, input_signature=[tf.TensorSpec([None, None, 2], name="x")]
  )
  tf.saved_model.save(module, str(path), signatures=module.call)
  return str(path)


def test_a_graph_of_a_gpu_is_refused_for_servers_without(tmp_path, monkeypatch):
  cpu = _save_recurrent(tmp_path / "cpu")
  # What Keras asks while it traces: no GPU is needed to write its ops into a graph.
  backend = importlib.import_module("keras.src.backend.tensorflow.rnn")
  monkeypatch.setattr(backend, "_is_gpu_available", lambda: True)
  gpu = _save_recurrent(tmp_path / "gpu")
  release = release_of_tag("2.16.1")
  assert op_reasons(cpu, release) == []
  [reason] = op_reasons(gpu, release)
  assert reason == (
    "TensorFlow Serving 2.16 has no kernel for CudnnRNNV3 without a GPU. Build what is exported "
    "without it (recurrent layers of Keras: use_cudnn=False), or serve with GPUs alone, and say so "
    "with a push.serving_release that ends with -gpu."
  )
  assert op_reasons(gpu, release_of_tag("2.16.1-gpu")) == []


def test_a_graph_that_cannot_be_read_is_refused(tmp_path):
  (tmp_path / "saved_model.pb").write_bytes(b"not a protobuf")
  [reason] = op_reasons(str(tmp_path), release_of_tag("2.16.1"))
  assert reason.startswith("saved_model.pb cannot be read: DecodeError")


def test_first_line_skips_what_says_nothing():
  error = ValueError("Graph execution error:\n\nDetected at node x defined at\nNo such table.\n")
  assert first_line(error) == "ValueError: No such table."
  assert first_line(ValueError()) == "ValueError"
