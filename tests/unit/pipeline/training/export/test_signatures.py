"""The export: every signature through both loaders, against the model it was made of."""

import functools
import inspect

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from pipeline.sources.tfrecord.op_errors import words_of
from pipeline.tasks.images.model import build_model
from pipeline.tasks.images.task import TASK
from pipeline.training.answering import answering
from pipeline.training.export import signatures

_NAMES = {
  "serving_default",
  "serving_examples",
  "classify",
  "transform_features",
  "transform_label",
}


@pytest.fixture(scope="module")
def model(graph):
  tf.keras.utils.set_random_seed(1)
  return build_model(TASK.params.usual().replace(widths=[2], image_size=12), graph.output)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, graph, model):
  """The export's path and what `export` returned."""
  path = str(tmp_path_factory.mktemp("export") / "model")
  return path, _export(path, graph, model, answering(TASK, model, graph.output, {}))


def _export(path, graph, model, outputs, **options):
  return signatures.export(
    path,
    model=model,
    outputs=outputs,
    tft_output=graph.output,
    input_key="image",
    label_id_key="label_id",
    **options,
  )


@pytest.fixture(scope="module")
def loaded(exported):
  return tf.saved_model.load(exported[0])


@pytest.fixture(scope="module")
def scores(graph, model):
  """What the model says of every picture, without the export."""
  pixels = np.stack([tf.io.decode_png(p).numpy() for p in graph.pictures]).astype("float32")
  return tf.nn.softmax(model(pixels, training=False)).numpy()


def _example(**features):
  feature = {
    k: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])) for k, v in features.items()
  }
  return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def test_every_signature_is_there_and_names_its_input(loaded):
  assert set(loaded.signatures) == _NAMES
  inputs = {
    name: list(signature.structured_input_signature[1])
    for name, signature in loaded.signatures.items()
  }
  assert inputs == {
    "serving_default": ["image"],
    "serving_examples": ["examples"],
    "classify": ["inputs"],
    "transform_features": ["examples"],
    "transform_label": ["examples"],
  }


def test_serving_default_answers_as_the_model(loaded, graph, scores):
  answer = loaded.signatures["serving_default"](image=tf.constant(graph.pictures))
  np.testing.assert_allclose(answer["scores"], scores, atol=1e-6)
  np.testing.assert_allclose(answer["score"], scores.max(axis=1), atol=1e-6)
  names = np.array([b"cat", b"dog"])
  assert answer["label"].numpy().tolist() == names[scores.argmax(axis=1)].tolist()
  assert answer["labels"].numpy().tolist() == [[b"cat", b"dog"]] * 20


def test_predict_computes_what_the_signatures_compute(exported, loaded, graph):
  _, module = exported
  values = tf.constant(graph.pictures[:3])
  answer = loaded.signatures["serving_default"](image=values)
  for name, expected in module.predict(values).items():
    assert answer[name].numpy().tolist() == expected.numpy().tolist()


def test_the_answer_is_traced_once_and_by_no_code_of_autographs(tmp_path, graph, model):
  answer, made = answering(TASK, model, graph.output, {}), []

  def outputs(features):
    made.append(inspect.stack())
    return answer(features)

  _export(str(tmp_path / "model"), graph, model, outputs)
  [frames] = made
  assert not [frame for frame in frames if "autograph" in frame.filename]
  saved = saved_model_pb2.SavedModel.FromString((tmp_path / "model/saved_model.pb").read_bytes())
  [meta_graph] = saved.meta_graphs
  # Three signatures share one copy of the model, and no layer has a function of its own.
  names = [
    function.signature.name
    for function in meta_graph.graph_def.library.function
    if any(node.op == "Softmax" for node in function.node_def)
  ]
  assert len(names) == 1
  functions = {function.signature.name for function in meta_graph.graph_def.library.function}
  assert not [name for name in functions if "wrapped_model" in name]


def test_serving_examples_and_classify_need_only_the_input(loaded, graph, scores):
  unlabelled = tf.constant([_example(image=picture) for picture in graph.pictures])
  answer = loaded.signatures["serving_examples"](examples=unlabelled)
  np.testing.assert_allclose(answer["scores"], scores, atol=1e-6)
  answer = loaded.signatures["classify"](inputs=unlabelled)
  assert set(answer) == {"classes", "scores"}
  np.testing.assert_allclose(answer["scores"], scores, atol=1e-6)
  assert answer["classes"].numpy().tolist() == [[b"cat", b"dog"]] * 20


def test_transform_features_gives_pixels_and_label(loaded, graph):
  features = loaded.signatures["transform_features"](examples=tf.constant(graph.examples[:4]))
  assert set(features) == {"pixels", "label_id"}
  assert features["label_id"].numpy().tolist() == [0, 1, 0, 1]
  first = tf.io.decode_png(graph.pictures[0]).numpy().astype("float32")
  np.testing.assert_array_equal(features["pixels"][0], first)


def test_transform_label_needs_no_input(loaded):
  examples = tf.constant([_example(label=name) for name in (b"dog", b"cat", b"cow")])
  answer = loaded.signatures["transform_label"](examples=examples)
  assert {k: v.numpy().tolist() for k, v in answer.items()} == {"label_id": [1, 0, -1]}


@pytest.mark.parametrize("batch", [1, 7])
def test_the_tf1_loader_answers_alike(exported, loaded, graph, batch):
  """TensorFlow Serving loads as TF1 does; variables that Keras alone tracks are missing there."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], exported[0])
    signature = meta.signature_def["serving_default"]
    assert set(_NAMES) <= set(meta.signature_def)
    answer = session.run(
      {name: info.name for name, info in signature.outputs.items()},
      {signature.inputs["image"].name: graph.pictures[:batch]},
    )
  expected = loaded.signatures["serving_default"](image=tf.constant(graph.pictures[:batch]))
  np.testing.assert_allclose(answer["scores"], expected["scores"], atol=1e-6)
  assert answer["label"].tolist() == expected["label"].numpy().tolist()


def test_without_classes_there_is_no_classify(tmp_path, graph, model):
  def outputs(features):
    return {"brightness": tf.reduce_mean(model(features["pixels"], training=False), axis=1)}

  _export(str(tmp_path / "model"), graph, model, outputs)
  found = tf.saved_model.load(str(tmp_path / "model")).signatures
  assert set(found) == _NAMES - {"classify"}
  assert set(found["serving_default"].structured_outputs) == {"brightness"}


def test_a_number_is_answered_by_regress_too(tmp_path, graph, model):
  def outputs(features):
    return {"value": tf.reduce_mean(model(features["pixels"], training=False), axis=1)}

  _export(str(tmp_path / "model"), graph, model, outputs)
  # Functions hold their variables weakly.
  loaded = tf.saved_model.load(str(tmp_path / "model"))
  assert set(loaded.signatures) == (_NAMES - {"classify"}) | {"regress"}
  examples = tf.constant(graph.examples[:3])
  said = loaded.signatures["serving_examples"](examples=examples)["value"].numpy()
  regressed = loaded.signatures["regress"](inputs=examples)["outputs"].numpy()
  assert regressed.dtype == np.float32
  np.testing.assert_allclose(regressed, said, rtol=1e-6)


def _rule(values):
  return tf.where(values == b"", "the picture is missing", "")


@pytest.fixture(scope="module")
def ruled(tmp_path_factory, graph, model):
  """The path of an export that refuses an empty input."""
  path = str(tmp_path_factory.mktemp("ruled") / "model")
  _export(path, graph, model, answering(TASK, model, graph.output, {}), rule=_rule)
  return path


def _refusal(call):
  with pytest.raises(tf.errors.InvalidArgumentError) as caught:
    call()
  return words_of(caught.value)


def test_every_signature_of_a_caller_refuses_by_the_rule(ruled, graph):
  found = tf.saved_model.load(ruled).signatures
  fine = graph.pictures[0]
  three = tf.constant([fine, b"", b""])
  assert _refusal(lambda: found["serving_default"](image=three)) == (
    "the picture is missing (input 2 of 3)"
  )
  alone = tf.constant([_example(image=b"", label=b"cat")])
  missing = tf.constant([_example(label=b"cat")])
  for name, argument in (
    ("serving_examples", "examples"),
    ("classify", "inputs"),
    ("transform_features", "examples"),
  ):
    for rows in (alone, missing):
      call = functools.partial(found[name], **{argument: rows})
      assert _refusal(call) == "the picture is missing"
  assert found["transform_label"](examples=missing)["label_id"].numpy().tolist() == [0]
  assert found["serving_default"](image=tf.constant([fine]))["label"].shape == [1]


def test_the_tf1_loader_refuses_too_whatever_is_fetched(ruled, graph):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    signature = tf.compat.v1.saved_model.load(session, ["serve"], ruled).signature_def
    definition = signature["serving_default"]
    feed = {definition.inputs["image"].name: [graph.pictures[0], b""]}
    for output in definition.outputs.values():
      reason = _refusal(lambda output=output: session.run(output.name, feed))
      assert reason == "the picture is missing (input 2 of 2)"
