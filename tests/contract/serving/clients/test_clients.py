"""Our clients against our server: both protocols, what they agree on, and with the graph itself."""

import contextlib
import shutil
import threading
import time

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlpipe_client import (
  BadRequest,
  GrpcClient,
  NotFound,
  RestClient,
  Retry,
  TensorInfo,
  Unauthenticated,
  connect,
)

# What JSON carries; the other types go over gRPC only.
REST_TYPES = ["float32", "float64", "int32", "uint8", "int16", "int8", "int64", "bool", "uint32",
              "uint64"]  # fmt: skip
GRPC_TYPES = [*REST_TYPES, "float16", "uint16", "complex64", "complex128"]
KINDS = ["rest", "grpc"]


@pytest.fixture(scope="module")
def endpoints(serve, models, free_ports, tmp_path_factory):
  config = tmp_path_factory.mktemp("config") / "models.config"
  entries = [
    f'config {{ name: "{name}" base_path: "{models / name}" model_platform: "tensorflow" '
    f"model_version_policy {{ all {{}} }} {extra} }}"
    for name, extra in [
      ("half_plus", 'version_labels { key: "old" value: 1 }'),
      ("many", ""),
      ("types", ""),
      ("doubler", ""),
    ]
  ]
  config.write_text(f"model_config_list {{ {' '.join(entries)} }}")
  with serve(
    free_ports(2),
    f"--model_config_file={config}",
    "--allow_version_labels_for_unavailable_models",
  ) as found:
    yield found


@pytest.fixture(params=KINDS)
def ask(request, endpoints):
  """Returns a function from a model's name to a client, of each protocol in turn."""
  with contextlib.ExitStack() as stack:
    yield lambda model, **arguments: stack.enter_context(
      connect(endpoints[request.param], model, **arguments)
    )


@pytest.fixture(scope="module")
def both(endpoints):
  """Clients of the model `types`, REST and gRPC."""
  with connect(endpoints["rest"], "types") as rest, connect(endpoints["grpc"], "types") as rpc:
    yield rest, rpc


def test_they_are_what_they_seem(both):
  assert [type(each) for each in both] == [RestClient, GrpcClient]


def test_versions_and_labels(ask):
  client = ask("half_plus")
  assert client.wait_until_ready(timeout_s=120).version == 2
  assert client.predict([[2.0]])["y"].tolist() == [[4]]
  assert client.predict([[2.0]], version=1)["y"].tolist() == [[3]]
  assert client.predict([[2.0]], label="old")["y"].tolist() == [[3]]
  assert [(each.version, each.state) for each in client.status()] == [
    (2, "AVAILABLE"),
    (1, "AVAILABLE"),
  ]
  assert [each.version for each in client.status(version=1)] == [1]


def test_classify_and_regress(ask):
  client = ask("half_plus")
  examples = [{"x": 2.0}, {"x": [4.0]}]
  assert client.classify(examples, signature_name="classify_labels") == [
    [("label", 4)],
    [("label", 5)],
  ]
  assert client.classify(examples, signature_name="classify_x_to_y", version=1) == [
    [("", 3)],
    [("", 4)],
  ]
  assert client.regress(examples, signature_name="regress_x_to_y").tolist() == [4, 5]
  found = client.regress([{}, {"x": 6.0}], context={"x": 2.0}, signature_name="regress_x_to_y2")
  assert found.tolist() == [5, 7]


def test_several_inputs_and_outputs(ask):
  answer = ask("many").predict({"a": [[1, 2], [3, 4]], "b": [1, -2], "s": ["x", "ü"]})
  assert {name: (array.dtype.name, array.tolist()) for name, array in answer.items()} == {
    "sum": ("float32", [3, 7]),
    "next": ("int32", [2, -1]),
    "upper": ("object", [b"X", "ü".encode()]),
  }


def test_bytes(ask):
  client = ask("many")
  value = [b"\xff\0", b""]
  assert client.predict(value, signature_name="encode")["image_bytes"].tolist() == value
  text = client.predict([b"a\0b"], signature_name="encode_two")
  assert text["image_bytes"].tolist() == text["text"].tolist() == [b"a\0b"]


def test_outputs_of_any_shape(ask):
  client = ask("many")
  assert client.predict([[1, 2]], signature_name="scalar")["total"].tolist() == 3
  uneven = client.predict([[1, 2]], signature_name="uneven")
  assert uneven["columns"].tolist() == [[1], [2]]


def test_tf2_models(ask):
  client = ask("doubler")
  assert client.predict([[1, 2, 3]])["doubled"].tolist() == [[2, 4, 6]]
  assert client.predict(np.zeros((0, 3), np.float32))["doubled"].shape == (0, 3)
  found = client.predict(["a", "c"], signature_name="words")
  assert found["number"].tolist() == [1, -1]


def test_metadata(ask):
  found = ask("many").metadata()
  assert (found.name, found.version) == ("many", 1)
  default = found.signatures["serving_default"]
  assert default.inputs["a"] == TensorInfo("float32", (None, 2))
  assert default.outputs["upper"] == TensorInfo("string", (None,))
  assert found.signatures["with_default"].inputs["factor"] == TensorInfo("float32", ())
  assert ask("types").metadata().signatures["bfloat16"].inputs["x"] == TensorInfo("bfloat16", None)


def test_metadata_is_the_same_over_both(endpoints):
  for model in ("half_plus", "many", "types", "doubler"):
    found = []
    for kind in KINDS:
      with connect(endpoints[kind], model) as client:
        found.append(client.metadata())
    assert found[0] == found[1]


def test_errors(ask):
  once = Retry(attempts=1)
  with pytest.raises(NotFound, match="Servable not found for request: Latest\\(none\\)"):
    ask("none", retry=once).predict(np.float32([1]), signature_name="x")
  with pytest.raises(NotFound, match="Could not find any versions of model none"):
    ask("none").status()
  with pytest.raises(NotFound, match="Specific\\(many, 9\\)"):
    ask("many", retry=once).metadata(version=9)
  with pytest.raises(BadRequest, match="Unrecognized servable version label: new"):
    ask("half_plus").metadata(label="new")
  with pytest.raises(BadRequest, match="Input is empty|'examples' value is an empty array"):
    ask("half_plus").classify([], signature_name="classify_labels")
  with pytest.raises(BadRequest, match="Matrix size-incompatible"):
    ask("many").predict([[1, 2, 3]], signature_name="matmul")


@pytest.mark.parametrize("name", GRPC_TYPES)
def test_every_type_over_grpc(both, name):
  array = np.array([[0, 1], [1, 0]]).astype(name)
  found = both[1].predict({"x": array}, signature_name=name)["y"]
  assert found.dtype == array.dtype
  np.testing.assert_array_equal(found, array)


def test_bfloat16_comes_back_as_float32(both):
  found = both[1].predict({"x": np.array([1.5], ml_dtypes.bfloat16)}, signature_name="bfloat16")
  assert found["y"].dtype == np.float32
  assert found["y"].tolist() == [1.5]


@pytest.fixture(scope="module")
def graph(models):
  """Returns a function that runs a signature of `types` in a session of this process."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(models / "types" / "1"))

    def run(name, array):
      signature = loaded.signature_def[name]
      return session.run(signature.outputs["y"].name, {signature.inputs["x"].name: array})

    yield run


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_rest_grpc_and_the_graph_agree(both, graph, data):
  name = data.draw(st.sampled_from(REST_TYPES))
  shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
  array = data.draw(hnp.arrays(name, shape))
  expected = graph(name, array)
  for client in both:
    found = client.predict({"x": array}, signature_name=name)["y"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.reshape(shape), expected)
    end = shape.index(0) + 1 if 0 in shape else len(shape)
    assert found.shape[:end] == shape[:end]  # JSON has no lengths behind a length of 0


@given(hnp.arrays(object, hnp.array_shapes(max_dims=3, max_side=3), elements=st.binary(max_size=6)))
@settings(max_examples=20, deadline=None)
def test_rest_and_grpc_agree_on_strings(both, array):
  for client in both:
    found = client.predict({"x": array}, signature_name="string")["y"]
    assert found.shape == array.shape
    assert found.tolist() == array.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_swap_is_not_seen_by_those_who_ask_for_the_newest(
  serve, models, free_ports, tmp_path, kind
):
  base = tmp_path / "m"
  shutil.copytree(models / "half_plus" / "1", base / "1")
  with (
    serve(
      free_ports(2),
      "--model_name=m",
      f"--model_base_path={base}",
      "--file_system_poll_wait_seconds=1",
    ) as found,
    connect(found[kind], "m") as client,
  ):
    answers, stop = [], threading.Event()

    def ask():
      while not stop.is_set():
        answers.append(client.predict([[2.0]])["y"].tolist())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
      thread.start()
    shutil.copytree(models / "half_plus" / "2", tmp_path / "new")
    (tmp_path / "new").rename(base / "2")
    deadline = time.monotonic() + 120
    while client.status()[-1].state != "END" and time.monotonic() < deadline:
      time.sleep(0.05)
    stop.set()
    for thread in threads:
      thread.join()
    assert client.predict([[2.0]])["y"].tolist() == [[4]]
  assert {str(answer) for answer in answers} <= {"[[3.0]]", "[[4.0]]"}
  assert len(answers) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_tokens(serve, models, free_ports, tmp_path, kind):
  tokens = tmp_path / "tokens"
  tokens.write_text("letmein\n")
  with serve(
    free_ports(2),
    "--model_name=m",
    f"--model_base_path={models / 'doubler'}",
    f"--auth_tokens_file={tokens}",
  ) as found:
    with connect(found[kind], "m", token="letmein") as client:
      assert client.predict([[1, 2, 3]])["doubled"].tolist() == [[2, 4, 6]]
    for token in (None, "other"):
      with connect(found[kind], "m", token=token) as client, pytest.raises(Unauthenticated):
        client.predict([[1, 2, 3]])
