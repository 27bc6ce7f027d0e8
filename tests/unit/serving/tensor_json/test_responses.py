"""Response bodies, to the byte."""

import json

import numpy as np
import pytest

from serving.errors import InvalidArgument
from serving.tensor_json import write_classify, write_error, write_predict, write_regress

TEXTS = np.array([b"a", b'"\\\n\x01\xff'], object)
SCORES = np.float32([[1.5, 2], [3, 0.25]])


@pytest.mark.parametrize(
  ("array", "text"),
  [
    (np.float32([2.5, 3, 4.5]), b"2.5, 3.0, 4.5"),
    (np.int64([[1, -(2**63)], [3, 4]]), b"[1, -9223372036854775808], [3, 4]"),
    (np.uint64([2**64 - 1]), b"18446744073709551615"),
    (np.uint8([0, 255]), b"0, 255"),
    (np.array([[[True]], [[False]]]), b"[[true]], [[false]]"),
    (np.float64([0.1, np.nan]), b"0.1, NaN"),
    (TEXTS, b'"a", "\\"\\\\\\n\\u0001\xff"'),
    (np.zeros((2, 0), np.float32), b"[], []"),
    (np.zeros((1, 2, 0, 3), np.float32), b"[[], []]"),
  ],
)
def test_one_output_in_rows(array, text):
  assert write_predict({"x": array}, row=True) == b'{\n    "predictions": [%s\n    ]\n}' % text


@pytest.mark.parametrize("value", [np.zeros((0, 3), np.float32), np.zeros(0, object)])
def test_no_rows(value):
  assert write_predict({"x": value}, row=True) == b'{\n    "predictions": []\n}'


def test_several_outputs_in_rows():
  body = write_predict({"s": SCORES, "t%s": TEXTS, "x_bytes": TEXTS.reshape(2, 1)}, row=True)
  assert (
    body
    == rb"""{
    "predictions": [
        {
            "s": [1.5, 2.0],
            "t%s": "a",
            "x_bytes": [{
                    "b64": "YQ=="
                }]
        },
        {
            "s": [3.0, 0.25],
            "t%s": "\"\\\n\u0001?",
            "x_bytes": [{
                    "b64": "IlwKAf8="
                }]
        }
    ]
}""".replace(b"?", b"\xff")
  )


@pytest.mark.parametrize(
  ("array", "text"),
  [
    (np.float32(0.5), b"0.5"),
    (np.int32([]), b"[]"),
    (np.int32([1, 2]), b"[\n        1,\n        2\n    ]"),
    (
      SCORES,
      b"""[
        [
            1.5,
            2.0
        ],
        [
            3.0,
            0.25
        ]
    ]""",
    ),
  ],
)
def test_one_output_as_a_column(array, text):
  assert write_predict({"x": np.asarray(array)}, row=False) == b'{\n    "outputs": %s\n}' % text


def test_several_outputs_as_columns():
  body = write_predict({"n": np.int32([7, 8]), "x_bytes": np.array(b"a", object)}, row=False)
  assert body == (
    b'{\n    "outputs": {\n        "n": [\n            7,\n            8\n        ],\n'
    b'        "x_bytes": {\n            "b64": "YQ=="\n        }\n    }\n}'
  )


def test_bytes_are_base64_even_where_the_name_is_left_out():
  found = json.loads(write_predict({"raw_bytes": TEXTS}, row=True))
  assert found == {"predictions": [{"b64": "YQ=="}, {"b64": "IlwKAf8="}]}


def test_bytes_by_name_need_strings():
  assert json.loads(write_predict({"n_bytes": np.int32([1])}, row=True)) == {"predictions": [1]}


@pytest.mark.parametrize("row", [True, False])
@pytest.mark.parametrize("shape", [(1, 1000), (32, 1000), (500, 2), (2, 300, 3)])
def test_large_arrays_have_the_layout_of_small_ones(shape, row):
  array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
  found = json.loads(write_predict({"x": array, "y": array[:, 0]}, row=row))
  if row:
    assert [each["x"] for each in found["predictions"]] == array.tolist()
    assert [each["y"] for each in found["predictions"]] == array[:, 0].tolist()
  else:
    assert found == {"outputs": {"x": array.tolist(), "y": array[:, 0].tolist()}}


@pytest.mark.parametrize(
  ("outputs", "message"),
  [
    ({}, "Cannot convert empty tensor map to JSON"),
    ({"x": np.float32(1)}, "Tensor name: x has no shape information "),
    (
      {"x": np.zeros(2), "y": np.zeros(3)},
      "Tensor name: y has inconsistent batch size: 3 expecting: 2",
    ),
    (
      {"x": np.zeros(1, np.complex64)},
      "Failed to write JSON value for tensor type: complex64",
    ),
    ({"x": np.zeros(1, np.float16)}, "Failed to write JSON value for tensor type: half"),
    ({"x": np.zeros(1, np.uint16)}, "Failed to write JSON value for tensor type: uint16"),
  ],
)
def test_what_cannot_be_written(outputs, message):
  arrays = {name: np.asarray(array) for name, array in outputs.items()}
  with pytest.raises(InvalidArgument) as refused:
    write_predict(arrays, row=True)
  assert str(refused.value) == message


def test_columns_need_no_common_batch():
  found = json.loads(write_predict({"x": np.int32([1]), "y": np.int32([1, 2])}, row=False))
  assert found == {"outputs": {"x": [1], "y": [1, 2]}}


def test_classify():
  body = write_classify([[(b"cat", np.float32(0.2)), ("ü", 1)], [(b"", 0)], []])
  assert body == (
    '{\n    "results": [[["cat", 0.2], ["ü", 1.0]], [["", 0.0]], []\n    ]\n}'.encode()
  )
  with pytest.raises(InvalidArgument, match="^Cannot convert empty ClassificationResults to JSON$"):
    write_classify([])


def test_regress():
  assert write_regress([1, 0.1, np.inf]) == b'{\n    "results": [1.0, 0.1, Infinity]\n}'
  assert write_regress(np.float32([2])) == b'{\n    "results": [2.0]\n}'
  with pytest.raises(InvalidArgument, match="^Cannot convert empty RegressionResults to JSON$"):
    write_regress([])


@pytest.mark.parametrize(
  ("message", "text"),
  [
    ('no "x"\n', b'no \\"x\\"\\n'),
    ("ü\udcff", b"\xc3\xbc\xff"),
    ("\ud800", b"?"),
  ],
)
def test_error(message, text):
  assert write_error(message) == b'{\n    "error": "%s"\n}' % text
