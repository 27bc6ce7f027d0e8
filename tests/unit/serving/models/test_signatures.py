"""Signatures as records, and lists as arrays of their types."""

import numpy as np
import pytest

from serving.errors import DataLoss, InvalidArgument, NotFound
from serving.models.local_model import LocalModel
from serving.models.signatures import TensorSpec, as_array, read_signatures

_FLOATS = TensorSpec(dtype="float32", numpy_dtype=np.dtype(np.float32), shape=(None, 3))
_BYTES = TensorSpec(dtype="string", numpy_dtype=np.dtype(object), shape=(None,))
_SMALL = TensorSpec(dtype="uint8", numpy_dtype=np.dtype(np.uint8), shape=(None,))


def test_signatures_of_a_model_loaded_or_not(saved_model):
  found = read_signatures(saved_model)
  assert sorted(found) == ["count", "parse", "serving_default"]
  default = found["serving_default"]
  assert default.inputs == {"rows": _FLOATS, "name": _BYTES}
  assert {name: (spec.dtype, spec.shape) for name, spec in default.outputs.items()} == {
    "name": ("string", (None,)),
    "scaled": ("float32", (None, 3)),
  }
  assert {name: (spec.dtype, spec.shape) for name, spec in found["count"].inputs.items()} == {
    "flag": ("bool", None),
    "n": ("uint8", (None,)),
  }
  with LocalModel(saved_model) as model:
    assert model.signatures == found


def test_what_holds_no_signatures(tmp_path):
  with pytest.raises(NotFound, match="saved_model.pb: No such file"):
    read_signatures(tmp_path)
  (tmp_path / "saved_model.pb").write_bytes(b"garbage")
  with pytest.raises(DataLoss, match="Can't parse .*saved_model.pb as binary proto"):
    read_signatures(tmp_path)


@pytest.mark.parametrize(
  ("rows", "message"),
  [
    (
      [[1, 2, 3], [1, 2]],
      "Input 'rows' cannot be read as an array (do all rows have the same length?).",
    ),
    ([["1", "2", "3"]], "Input 'rows' must be of type float32. Received: <U1."),
    ([[True, False, True]], "Input 'rows' must be of type float32. Received: bool."),
    (
      [[1e300, 0, 0]],
      "Input 'rows' must be of type float32. Received: float64 with values out of range.",
    ),
    ([[None, 1, 2]], "Input 'rows' must be of type float32. Received: object."),
  ],
)
def test_wrong_numbers(rows, message):
  with pytest.raises(InvalidArgument) as refused:
    as_array("rows", rows, _FLOATS)
  assert str(refused.value) == message


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ([1], "Input 'name' must hold strings. Received: int at [0]."),
    (["a", None], "Input 'name' must hold strings. Received: NoneType at [1]."),
    (
      [["a"], ["b", "c"]],
      "Input 'name' must hold strings. Received: list at [0] (do all rows have the same length?).",
    ),
  ],
)
def test_wrong_strings(name, message):
  with pytest.raises(InvalidArgument) as refused:
    as_array("name", name, _BYTES)
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
def test_whole_numbers_that_would_change(n, message):
  with pytest.raises(InvalidArgument) as refused:
    as_array("n", n, _SMALL)
  assert str(refused.value) == f"Input 'n' {message}"


def test_an_array_stays_what_it_is_but_numpys_own_strings():
  array = np.ones(2)
  assert as_array("rows", array, _FLOATS) is array
  strings = as_array("name", np.array(["ä", "b"]), _BYTES)
  assert (strings.dtype, strings.tolist()) == (np.dtype(object), ["ä".encode(), b"b"])
