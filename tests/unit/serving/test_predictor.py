"""`Predictor`: right requests are answered, wrong ones are told what is wrong with them."""

import shutil

import numpy as np
import pytest

from serving.errors import FailedPrecondition, InvalidArgument, NotFound
from serving.model_store import ModelStore
from serving.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(saved_model, tripler, tmp_path_factory):
  """Serves version 1, which triples, and version 2, which doubles."""
  base = tmp_path_factory.mktemp("serving")
  shutil.copytree(tripler, base / "1")
  shutil.copytree(saved_model, base / "2")
  return Predictor(ModelStore(base))


def test_arrays_are_answered_with_arrays(predictor):
  answer = predictor.predict(
    {"rows": np.float32([[1, 2, 3], [4, 5, 6]]), "name": np.array([b"a", b"b"], object)}
  )
  assert sorted(answer) == ["name", "scaled"]
  assert answer["scaled"].dtype == np.float32
  np.testing.assert_array_equal(answer["scaled"], [[2, 4, 6], [8, 10, 12]])
  assert answer["name"].tolist() == [b"A", b"B"]


def test_lists_are_converted_where_nothing_is_lost(predictor):
  answer = predictor.predict({"rows": [[1, 2.5, 3]], "name": ["straße"]})
  np.testing.assert_array_equal(answer["scaled"], [[2, 5, 6]])
  assert answer["name"].tolist() == ["STRAßE".encode()]


def test_infinite_and_missing_numbers_stay_what_they_are(predictor):
  answer = predictor.predict({"rows": [[float("inf"), float("nan"), 0]], "name": ["x"]})
  np.testing.assert_array_equal(answer["scaled"], [[np.inf, np.nan, 0]])


def test_version_and_signature_are_chosen(predictor):
  rows = {"rows": [[1, 1, 1]], "name": ["x"]}
  assert predictor.predict(rows, version=1)["scaled"].tolist() == [[3, 3, 3]]
  answer = predictor.predict({"n": [254], "flag": True}, signature="count")
  assert (answer["n"].tolist(), answer["n"].dtype) == ([255], np.uint8)
  assert answer["flag"].tolist() is False


def test_empty_batch_is_answered(predictor):
  answer = predictor.predict({"rows": np.zeros((0, 3), np.float32), "name": []})
  assert answer["scaled"].shape == (0, 3)
  assert predictor.predict({"n": [], "flag": [False]}, signature="count")["n"].shape == (0,)


def test_bytes_keep_their_trailing_zeros(predictor):
  answer = predictor.predict({"rows": [[0, 0, 0]], "name": [b"ab\0\0"]})
  assert answer["name"].tolist() == [b"AB\0\0"]


@pytest.mark.parametrize(
  ("inputs", "message"),
  [
    ({"rows": [[1, 2, 3]]}, "takes the inputs ['name', 'rows']. Received: ['rows']."),
    (
      {"rows": [[1, 2, 3]], "name": ["x"], "size": [1]},
      "takes the inputs ['name', 'rows']. Received: ['name', 'rows', 'size'].",
    ),
    ({}, "Signature 'serving_default' takes the inputs ['name', 'rows']. Received: []."),
  ],
)
def test_wrong_names(predictor, inputs, message):
  with pytest.raises(InvalidArgument) as refused:
    predictor.predict(inputs)
  assert str(refused.value).endswith(message)


@pytest.mark.parametrize(
  ("rows", "message"),
  [
    ([1, 2, 3], "Input 'rows' must have the shape [?, 3]. Received: [3]."),
    ([[1, 2]], "Input 'rows' must have the shape [?, 3]. Received: [1, 2]."),
    (1.0, "Input 'rows' must have the shape [?, 3]. Received: []."),
    (
      [[1, 2, 3], [1, 2]],
      "Input 'rows' cannot be read as an array (do all rows have the same length?).",
    ),
    (np.ones((1, 3)), "Input 'rows' must be of type float32. Received: float64."),
    (np.ones((1, 3), np.int32), "Input 'rows' must be of type float32. Received: int32."),
    ([["1", "2", "3"]], "Input 'rows' must be of type float32. Received: <U1."),
    ([[True, False, True]], "Input 'rows' must be of type float32. Received: bool."),
    (
      [[1e300, 0, 0]],
      "Input 'rows' must be of type float32. Received: float64 with values out of range.",
    ),
    ([[None, 1, 2]], "Input 'rows' must be of type float32. Received: object."),
  ],
)
def test_wrong_numbers(predictor, rows, message):
  with pytest.raises(InvalidArgument) as refused:
    predictor.predict({"rows": rows, "name": ["x"]})
  assert str(refused.value) == message


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("x", "Input 'name' must have the shape [?]. Received: []."),
    ([["x"]], "Input 'name' must have the shape [?]. Received: [1, 1]."),
    ([1], "Input 'name' must hold strings. Received: int at [0]."),
    (["a", None], "Input 'name' must hold strings. Received: NoneType at [1]."),
    (np.float32([1]), "Input 'name' must hold strings. Received: float at [0]."),
    (
      [["a"], ["b", "c"]],
      "Input 'name' must hold strings. Received: list at [0] (do all rows have the same length?).",
    ),
  ],
)
def test_wrong_strings(predictor, name, message):
  with pytest.raises(InvalidArgument) as refused:
    predictor.predict({"rows": [[1, 2, 3]], "name": name})
  assert str(refused.value) == message


@pytest.mark.parametrize(
  ("n", "message"),
  [
    ([256], "must be of type uint8. Received: int64 with values out of range."),
    ([-1], "must be of type uint8. Received: int64 with values out of range."),
    ([1.0], "must be of type uint8. Received: float64."),
    ([2**70], "must be of type uint8. Received: object."),
  ],
)
def test_whole_numbers_that_would_change(predictor, n, message):
  with pytest.raises(InvalidArgument) as refused:
    predictor.predict({"n": n, "flag": True}, signature="count")
  assert str(refused.value) == f"Input 'n' {message}"


def test_unequal_batches_are_the_graphs_to_accept(predictor):
  answer = predictor.predict({"rows": [[1, 1, 1]], "name": ["a", "b"]})
  assert (len(answer["scaled"]), len(answer["name"])) == (1, 2)


def test_unknown_signature_lists_the_known(predictor):
  with pytest.raises(FailedPrecondition) as refused:
    predictor.predict({}, signature="predict")
  assert str(refused.value) == (
    'Serving signature key "predict" not found. The model has: count, parse, serving_default.'
  )


def test_unknown_version(predictor):
  with pytest.raises(NotFound, match="No version 7 "):
    predictor.predict({"rows": [[1, 1, 1]], "name": ["x"]}, version=7)


def test_what_the_graph_refuses_is_the_callers_fault(predictor):
  with pytest.raises(InvalidArgument, match="Could not parse example input"):
    predictor.predict({"examples": [b"no example"]}, signature="parse")


def test_metadata_of_a_version(predictor):
  found = predictor.metadata(1)
  assert found["version"] == 1
  assert sorted(found["signatures"]) == ["count", "parse", "serving_default"]
  assert found["signatures"]["serving_default"] == {
    "inputs": {
      "name": {"dtype": "string", "shape": [None]},
      "rows": {"dtype": "float32", "shape": [None, 3]},
    },
    "outputs": {
      "name": {"dtype": "string", "shape": [None]},
      "scaled": {"dtype": "float32", "shape": [None, 3]},
    },
  }
  assert found["signatures"]["count"]["inputs"] == {
    "flag": {"dtype": "bool", "shape": None},
    "n": {"dtype": "uint8", "shape": [None]},
  }
  assert predictor.metadata()["version"] == 2
