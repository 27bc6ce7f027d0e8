"""What both clients do alike, against real servers of a model made of Python functions."""

import grpc
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dlpipe_client as api
from dlpipe_client import InvalidInput, TensorInfo, VersionStatus


def test_predict_with_arrays(client):
  answer = client.predict(
    {"n": np.float32([[1.5, np.inf]]), "s": np.array([b"a\0", "ü".encode()], object)},
    signature_name="pair",
  )
  assert sorted(answer) == ["raw_bytes", "twice"]
  assert answer["twice"].dtype == np.float32
  assert answer["twice"].tolist() == [[3, np.inf]]
  assert answer["raw_bytes"].tolist() == [b"a\0", "ü".encode()]


def test_predict_with_plain_values(client):
  answer = client.predict({"n": [1, 2], "s": ["a", b"\xff"]}, signature_name="pair")
  assert answer["twice"].dtype == np.float32
  assert answer["twice"].tolist() == [2, 4]
  assert answer["raw_bytes"].tolist() == [b"a", b"\xff"]


def test_the_only_input_needs_no_name(client):
  assert client.predict([1, 3])["half"].tolist() == [0.5, 1.5]
  assert client.predict(np.float32(3))["half"].tolist() == 1.5
  with pytest.raises(InvalidInput, match=r"has the inputs \['n', 's'\]: give a mapping"):
    client.predict([1], signature_name="pair")


def test_answers_may_be_written_to(client):
  answer = client.predict(np.float32([2]))["half"]
  answer += 1
  assert answer.tolist() == [2]


REST_TYPES = ["float32", "float64", "int32", "uint8", "int16", "int8", "int64", "bool", "uint32",
              "uint64"]  # fmt: skip


@given(st.data())
@settings(
  max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_arrays_of_every_type_come_back(clients, model, data):
  name = data.draw(st.sampled_from(REST_TYPES))
  shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
  array = data.draw(hnp.arrays(name, shape))
  model.typed = data.draw(st.booleans())
  for each in clients:
    found = each.predict({"x": array}, signature_name=f"echo_{name}")["x"]
    assert found.dtype == array.dtype
    end = shape.index(0) + 1 if 0 in shape else len(shape)
    assert found.shape[:end] == shape[:end]  # JSON has no lengths behind a length of 0
    np.testing.assert_array_equal(found.reshape(shape), array)


@given(hnp.arrays(object, hnp.array_shapes(max_dims=2, max_side=3), elements=st.binary(max_size=4)))
@settings(
  max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_strings_of_any_bytes_come_back(clients, array):
  for each in clients:
    found = each.predict({"x": array}, signature_name="echo_string")["x"]
    assert found.shape == array.shape
    assert found.tolist() == array.tolist()


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("name", ["float16", "uint16", "complex64", "complex128", "bfloat16"])
def test_types_that_only_grpc_carries(clients, model, name, typed):
  rest, rpc = clients
  model.typed = typed
  array = np.array([[1.5, -2], [3, 0]]).astype(
    ml_dtypes.bfloat16 if name == "bfloat16" else name, casting="unsafe"
  )
  found = rpc.predict({"x": array}, signature_name=f"echo_{name}")["x"]
  assert found.dtype == (np.float32 if name == "bfloat16" else array.dtype)
  np.testing.assert_array_equal(found, array.astype(found.dtype))
  with pytest.raises(InvalidInput, match=f"'x' is of type {name}, which REST does not take"):
    rest.predict({"x": array}, signature_name=f"echo_{name}")


def test_classify(client):
  examples = [{"name": "cat", "n": [1, 2], "f": 0.5}, {"name": b"dog", "n": np.int64([3])}]
  assert client.classify(examples) == [
    [("cat", 0.25), ("ü", 0.75)],
    [("dog", 0.25), ("ü", 0.75)],
  ]
  assert client.classify([{}], context={"name": "all"}) == [[("all", 0.25), ("ü", 0.75)]]


def test_regress(client):
  found = client.regress([{"n": [1, 2]}, {"n": True}, {"n": []}], context={"other": "x"})
  assert found.dtype == np.float32
  assert found.tolist() == [3, 1, 0]


@pytest.mark.parametrize(
  ("example", "message"),
  [
    ({"f": [1, 1.5]}, r"Feature 'f' must be a value .* Received: \['float', 'int'\]\."),
    ({"f": [[1]]}, r"Feature 'f' must be a value .* Received: \['list'\]\."),
    ({"f": None}, r"Feature 'f' must be a value .* Received: \['NoneType'\]\."),
    ({"f": 2**63}, "Feature 'f' must fit into int64"),
    ([1], "An example must be a mapping of feature name to values. Received: list"),
  ],
)
def test_examples_that_cannot_be_sent(client, model, example, message):
  with pytest.raises(InvalidInput, match=message):
    client.classify([example])
  assert model.specs == []


def test_metadata(client):
  found = client.metadata()
  assert (found.name, found.version) == ("m", 7)
  pair = found.signatures["pair"]
  assert pair.inputs == {"n": TensorInfo("float32", (None,)), "s": TensorInfo("string", (None,))}
  assert pair.outputs["raw_bytes"] == TensorInfo("string", (None,))
  assert pair.method_name == "tensorflow/serving/predict"
  assert found.signatures["anything"].inputs == {"x": TensorInfo("int64", None)}
  assert found.signatures["echo_float16"].inputs["x"].dtype == "float16"


def test_status(client):
  assert client.status() == (
    VersionStatus(7, "AVAILABLE", "OK", ""),
    VersionStatus(3, "END", "INVALID_ARGUMENT", "broken"),
  )


def test_wait_until_ready_returns_the_newest_that_answers(client, model):
  model.faults = [FAULTS["UNAVAILABLE"], FAULTS["NOT_FOUND"]]
  assert client.wait_until_ready(timeout_s=300).version == 7
  assert len(model.specs) == 3


def test_wait_until_ready_says_what_it_saw(client, model):
  model.state = 20
  with pytest.raises(api.DeadlineExceeded) as late:
    client.wait_until_ready(timeout_s=0.25)
  assert str(late.value) == (
    "Model 'm' was not ready within 0.25 s. Seen last: version 7 LOADING, version 3 END broken"
  )


class _Fault:
  def __init__(self, code, http_status, message="why"):
    self.code, self.http_status, self.message = getattr(grpc.StatusCode, code), http_status, message


FAULTS = {
  name: _Fault(name, status)
  for name, status in {
    "INVALID_ARGUMENT": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404,
    "ABORTED": 409, "RESOURCE_EXHAUSTED": 429, "CANCELLED": 499, "INTERNAL": 500,
    "UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504,
  }.items()
}  # fmt: skip


@pytest.mark.parametrize(
  ("name", "error", "calls"),
  [
    ("INVALID_ARGUMENT", api.BadRequest, 1),
    ("UNAUTHENTICATED", api.Unauthenticated, 1),
    ("PERMISSION_DENIED", api.PermissionDenied, 1),
    ("NOT_FOUND", api.NotFound, 2),
    ("ABORTED", api.Conflict, 1),
    ("RESOURCE_EXHAUSTED", api.ResourceExhausted, 1),
    ("CANCELLED", api.Cancelled, 1),
    ("INTERNAL", api.ServerFailed, 1),
    ("UNIMPLEMENTED", api.Unimplemented, 1),
    ("UNAVAILABLE", api.Unavailable, 4),
    ("DEADLINE_EXCEEDED", api.DeadlineExceeded, 1),
  ],
)
def test_both_protocols_have_the_same_errors(client, model, name, error, calls):
  model.faults = [FAULTS[name]] * 9
  with pytest.raises(error, match="^why$") as failed:
    client.metadata()
  assert type(failed.value) is error
  assert (failed.value.code, failed.value.message) == (name, "why")
  assert len(model.specs) == calls


@pytest.mark.parametrize("name", ["UNAVAILABLE", "NOT_FOUND"])
def test_what_passes_is_tried_again(client, model, name):
  client.metadata()
  model.specs.clear()
  model.faults = [FAULTS[name]]
  assert client.predict([4])["half"].tolist() == [2]
  assert len(model.specs) == 2


def test_status_of_what_is_not_there_is_asked_once(client, model):
  model.faults = [FAULTS["NOT_FOUND"]] * 2
  with pytest.raises(api.NotFound):
    client.status()
  assert len(model.specs) == 1


def test_the_token_is_sent_with_every_call(client, model):
  client.predict([1])
  client.status()
  assert len(model.headers) == 3
  assert {each["authorization"] for each in model.headers} == {"Bearer secret"}


def test_an_unknown_signature_lists_the_known(client):
  with pytest.raises(
    api.BadRequest, match=r"'other' not found\. Model 'm' version 7 has: anything"
  ):
    client.predict([1], signature_name="other")


def test_a_changed_signature_is_noticed(client, model, monkeypatch):
  client.predict([1])
  model.signatures["serving_default"] = ({"n": "float64"}, {"n": "float64"})
  monkeypatch.setattr(model, "run", lambda name, inputs: inputs)
  model.faults = [FAULTS["INVALID_ARGUMENT"]]
  with pytest.raises(api.BadRequest):
    client.predict([1])
  assert client.predict([0.1])["n"].tolist() == [0.1]


@pytest.mark.parametrize(
  ("value", "message"),
  [
    ([[1, 2], [3]], r"Input 'n' cannot be read as an array \(do all rows have the same length\?\)"),
    (["x"], "Input 'n' must be of type float32. Received: no numbers"),
    ([True], "Input 'n' must be of type float32. Received: bool"),
    ([None], "Input 'n' must be of type float32. Received: no numbers"),
    (np.array(["2020"], "datetime64[D]"), "Input 'n' has a type that is not served: datetime64"),
  ],
)
def test_values_that_cannot_be_sent(client, value, message):
  with pytest.raises(InvalidInput, match=message):
    client.predict({"n": value})


@pytest.mark.parametrize(
  ("name", "value"), [("uint8", [256]), ("uint8", [-1]), ("int32", [1.5]), ("bool", [1])]
)
def test_values_that_would_change(client, name, value):
  with pytest.raises(InvalidInput, match=f"Input 'x' must be of type {name}"):
    client.predict({"x": value}, signature_name=f"echo_{name}")


def test_strings_must_be_strings(client):
  with pytest.raises(InvalidInput, match=r"Received: int at \[1\]"):
    client.predict({"x": ["a", 1]}, signature_name="echo_string")
  with pytest.raises(InvalidInput, match="Input 'x' must be of type string. Received: float64"):
    client.predict({"x": [1.5]}, signature_name="echo_string")


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"version": 1, "label": "stable"}, "Give a version or a label"),
    ({"version": -1}, "`version` must fit into int64"),
    ({"label": "a/b"}, "Expected a label without"),
  ],
)
def test_versions_that_cannot_be_asked(client, arguments, message):
  with pytest.raises(InvalidInput, match=message):
    client.predict([1], **arguments)


def test_public_names_are_those_that_are_documented():
  found = [each for each in vars(api).values() if isinstance(each, type)]
  errors = {each.__name__ for each in found if issubclass(each, api.ServingClientError)}
  drawn = [line.split("--")[1].split() for line in api.__doc__.splitlines() if "+--" in line]
  assert errors == {words[0] for words in drawn} | {"ServingClientError"}
  assert errors <= set(api.__all__)
  assert all(hasattr(api, name) for name in api.__all__)
