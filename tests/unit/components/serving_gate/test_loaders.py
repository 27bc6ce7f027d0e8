"""What `ServingGate` reads of an export before, and of an error after, it loads the export."""

from tensorflow.core.protobuf import saved_model_pb2

from components.serving_gate.loaders import first_line, unservable_ops


def test_ops_of_other_libraries_are_named(tmp_path):
  model = saved_model_pb2.SavedModel()
  graph = model.meta_graphs.add().graph_def
  function = graph.library.function.add()
  function.signature.name = "__inference_call_1"
  for op in ("MatMul", "SentencepieceTokenizeOp", "__inference_call_1"):
    function.node_def.add().op = op
  for op in ("Const", "StatefulPartitionedCall", "XlaCallModule", "PyFunc"):
    graph.node.add().op = op
  (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
  assert unservable_ops(str(tmp_path)) == ["PyFunc", "SentencepieceTokenizeOp"]


def test_first_line_skips_what_says_nothing():
  error = ValueError("Graph execution error:\n\nDetected at node x defined at\nNo such table.\n")
  assert first_line(error) == "ValueError: No such table."
  assert first_line(ValueError()) == "ValueError"
