"""Classify, Regress and MultiInference over gRPC, and their REST bodies."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def _example(**features):
  example = tf.train.Example()
  for name, value in features.items():
    example.features.feature[name].float_list.value.append(value)
  return example


def _fill(request, signature, rows, context=None, version=1):
  request.model_spec.name = "half_plus"
  request.model_spec.version.value = version
  request.model_spec.signature_name = signature
  _fill_input(request.input, rows, context)
  return request


def _fill_input(proto, rows, context=None):
  if context is not None:
    proto.example_list_with_context.context.CopyFrom(_example(**context))
    target = proto.example_list_with_context.examples
  else:
    target = proto.example_list.examples
  target.extend(_example(**row) for row in rows)


def _classify(server, signature, rows, **more):
  request = _fill(classification_pb2.ClassificationRequest(), signature, rows, **more)
  return server.prediction.Classify(request, timeout=120)


def _regress(server, signature, rows, **more):
  request = _fill(regression_pb2.RegressionRequest(), signature, rows, **more)
  return server.prediction.Regress(request, timeout=120)


def test_classify_with_labels(server):
  response = _classify(server, "classify_labels", [{"x": 2.0}, {"x": 20.0}])
  found = [[(c.label, c.score) for c in row.classes] for row in response.result.classifications]
  assert found == [[("label", 3.0)], [("label", 12.0)]]
  assert response.model_spec.name == "half_plus"
  assert response.model_spec.version.value == 1
  assert response.model_spec.signature_name == "classify_labels"


def test_classify_without_labels_leaves_them_empty(server):
  response = _classify(server, "classify_x_to_y", [{"x": 2.0}])
  assert [(c.label, c.score) for c in response.result.classifications[0].classes] == [("", 3.0)]


def test_regress(server):
  response = _regress(server, "regress_x_to_y", [{"x": 2.0}, {"x": 3.0}])
  assert [r.value for r in response.result.regressions] == [3.0, 3.5]
  assert response.model_spec.signature_name == "regress_x_to_y"


def test_context_is_common_to_all_examples_and_an_example_wins(server):
  context = {"x": 1.0, "x2": 10.0}
  response = _regress(server, "regress_x2_to_y3", [{}, {"x2": 20.0}], context=context)
  assert [r.value for r in response.result.regressions] == [8.0, 13.0]


@pytest.mark.parametrize("call", [_classify, _regress])
def test_no_examples(server, tools, call):
  signature = "classify_labels" if call is _classify else "regress_x_to_y"
  found = tools.refused(lambda: call(server, signature, []))
  assert found == ("INVALID_ARGUMENT", "Input is empty.")


@pytest.mark.parametrize(
  ("call", "signature", "message"),
  [
    (_classify, "nope", "No signature was found with the name: nope"),
    (_regress, "nope", "No signature was found with the name: nope"),
    (
      _classify,
      "classify_flat",
      "Expected Tensor shape: [batch_size num_classes] but got [2]",
    ),
    (
      _regress,
      "regress_wide",
      "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
    ),
    (_regress, "regress_int", "Expected output Tensor of DT_FLOAT.  Got: DT_INT32"),
    (_regress, "regress_short", "Input batch size did not match output batch size: 2 vs. 1"),
    (_regress, "classify_labels", "Expected one output Tensor."),
  ],
)
def test_signatures_that_do_not_fit(server, tools, call, signature, message):
  rows = [{"x": 1.0}, {"x": 2.0}]
  assert tools.refused(lambda: call(server, signature, rows)) == ("INVALID_ARGUMENT", message)


@pytest.mark.parametrize(
  ("call", "signature", "beginning"),
  [
    (_regress, "no_inputs_key", "No regression inputs found in SignatureDef: inputs {"),
    (_regress, "classify_x_to_y", "No regression outputs found in SignatureDef: inputs {"),
    (_classify, "serving_default", "No classification inputs found in SignatureDef: inputs {"),
    (
      _classify,
      "regress_x_to_y",
      (
        'Expected classification signature outputs to contain at least one of "classes" or '
        '"scores". Signature was: inputs {'
      ),
    ),
  ],
)
def test_signatures_without_the_names(server, tools, call, signature, beginning):
  code, message = tools.refused(lambda: call(server, signature, [{"x": 1.0}]))
  assert code == "INVALID_ARGUMENT"
  assert message.startswith(beginning)


def _multi(*tasks, rows=({"x": 2.0},)):
  request = inference_pb2.MultiInferenceRequest()
  for name, signature, method in tasks:
    task = request.tasks.add(method_name=method)
    task.model_spec.name, task.model_spec.signature_name = name, signature
    task.model_spec.version.value = 1
  _fill_input(request.input, rows)
  return request


def test_multi_inference_answers_in_the_order_of_its_tasks(server):
  request = _multi(
    ("half_plus", "regress_x_to_y2", REGRESS), ("half_plus", "classify_labels", CLASSIFY)
  )
  response = server.prediction.MultiInference(request, timeout=120)
  first, second = response.results
  assert [r.value for r in first.regression_result.regressions] == [4.0]
  classes = second.classification_result.classifications[0].classes
  assert [(c.label, c.score) for c in classes] == [("label", 3.0)]
  assert first.model_spec.signature_name == "regress_x_to_y2"
  assert second.model_spec.version.value == 1


@pytest.mark.parametrize(
  ("tasks", "error"),
  [
    ([], ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
    (
      [("half_plus", "regress_x_to_y", REGRESS), ("", "regress_x_to_y2", REGRESS)],
      ("INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
    ),
    (
      [("half_plus", "regress_x_to_y", REGRESS), ("many", "regress_x_to_y2", REGRESS)],
      (
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
      ),
    ),
    (
      [("half_plus", "regress_x_to_y", REGRESS)] * 2,
      ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"),
    ),
    (
      [("half_plus", "nope", REGRESS)],
      ("INVALID_ARGUMENT", "Requested signature not found in model graph: nope"),
    ),
    (
      [("half_plus", "serving_default", "tensorflow/serving/predict")],
      ("UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict"),
    ),
  ],
)
def test_multi_inference_refuses(server, tools, tasks, error):
  found = tools.refused(lambda: server.prediction.MultiInference(_multi(*tasks), timeout=120))
  assert found == error


@pytest.mark.parametrize(
  ("method", "body", "answer"),
  [
    (
      "classify",
      {"signature_name": "classify_labels", "examples": [{"x": 2.0}]},
      [[["label", 3.0]]],
    ),
    ("classify", {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}, [[["", 3.0]]]),
    (
      "regress",
      {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}, {"x": 3.0}]},
      [3.0, 3.5],
    ),
    (
      "regress",
      {
        "signature_name": "regress_x2_to_y3",
        "context": {"x": 1.0, "x2": 10.0},
        "examples": [{}, {"x2": 20.0}],
      },
      [8.0, 13.0],
    ),
  ],
)
def test_rest_bodies(server, method, body, answer):
  assert server.post(f"/v1/models/half_plus/versions/1:{method}", body) == (
    200,
    {"results": answer},
  )


@pytest.mark.parametrize(
  ("method", "body", "part"),
  [
    (
      "regress",
      {"signature_name": "nope", "examples": [{"x": 1.0}]},
      "No signature was found with the name: nope",
    ),
    ("classify", {"examples": []}, "'examples' value is an empty array"),
    ("regress", {"examples": {}}, "Expecting 'examples' value to be an list/array"),
    ("classify", {}, "key 'examples' is expected and was not found"),
    ("classify", {"examples": [3]}, "Example must be JSON object but got JSON Number"),
    (
      "regress",
      {"examples": [{"x": [10, 10.0]}]},
      "Unexpected element type in feature: x expecting type: int64",
    ),
    (
      "regress",
      {"examples": [{"x": None}]},
      "Feature: x has element with unexpected JSON type: Null",
    ),
    (
      "regress",
      {"signature_name": "regress_x_to_y", "examples": [{"x": 2}]},
      "Data types don't match",
    ),
  ],
)
def test_rest_bodies_that_are_refused(server, method, body, part):
  status, answer = server.post(f"/v1/models/half_plus/versions/1:{method}", body)
  assert status == 400
  assert part in answer["error"]
