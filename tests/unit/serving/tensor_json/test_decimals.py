"""Numbers as text: the rule, and whole arrays by the same rule."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.tensor_json.decimals import decimal, rows


@pytest.mark.parametrize(
  ("value", "text"),
  [
    (3, "3.0"),
    (-0.0, "-0.0"),
    (9000000, "9e+06"),
    (999999, "999999.0"),
    (555557.5, "555557.5"),
    (0.5, "0.5"),
    (0.0003, "0.0003"),
    (0.00003, "3e-05"),
    (1 / 3, "0.333333343"),
    (0.2, "0.2"),
    (123456.7, "123456.703"),
    (16777216, "16777216.0"),
    (2**30, "1.07374182e+09"),
    (1e-45, "1.4013e-45"),
    (3.4028235e38, "3.40282347e+38"),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
  ],
)
def test_floats(value, text):
  assert decimal(np.float32(value)) == text


@pytest.mark.parametrize(
  ("value", "text"),
  [
    (0.1, "0.1"),
    (1 / 3, "0.33333333333333331"),
    (1e300, "1e+300"),
    (2.0**53, "9007199254740992.0"),
  ],
)
def test_doubles(value, text):
  assert decimal(value) == text
  assert rows(np.array([[value]]), b",") == [text.encode()]


@given(st.floats(width=32, allow_nan=False))
def test_a_float_reads_back(value):
  assert np.float32(float(decimal(np.float32(value)))) == np.float32(value)


@given(st.floats(allow_nan=False))
def test_a_double_reads_back(value):
  assert float(decimal(value)) == value


_RANDOM = np.random.default_rng(7)
_N = 6000
_EXPONENTS = _RANDOM.integers(-37, 38, _N)
_BITS = _RANDOM.integers(0, 2**32, _N, dtype=np.uint64).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize(
  "values",
  [
    _BITS,
    _RANDOM.random(_N) ** 20,
    _RANDOM.standard_normal(_N) * 1e5,
    np.round(_RANDOM.random(_N) * 1000, 3),
    _RANDOM.integers(-2_000_000, 2_000_000, _N),
    _RANDOM.integers(-300, 300, _N) / 8,
    np.resize([0, -0.0, math.nan, math.inf, -math.inf, 1e-40, 1e-45, 3.4028235e38], _N),
    10.0 ** _EXPONENTS,
    2.0 ** _RANDOM.integers(-126, 127, _N),
    np.nextafter((10.0**_EXPONENTS).astype(np.float32), np.float32(0)),
    np.nextafter((10.0**_EXPONENTS).astype(np.float32), np.float32(np.inf)),
  ],
  ids=[
    "bits", "probabilities", "normal", "rounded", "whole", "eighths", "special", "tens", "twos",
    "below", "above",
  ],
)  # fmt: skip
def test_many_are_written_as_one_by_one(values):
  array = np.asarray(values, np.float32).reshape(-1, 3)
  expected = [b", ".join(decimal(value).encode() for value in row) for row in array]
  assert rows(array, b", ") == expected


@pytest.mark.parametrize(
  "values",
  [
    _RANDOM.random(_N),
    np.round(_RANDOM.random(_N), 5),
    _RANDOM.integers(0, 2**63, _N).view(np.float64),
    _RANDOM.integers(-(10**7), 10**7, _N).astype(float),
    10.0 ** _RANDOM.integers(-300, 300, _N),
    np.resize([0, -0.0, math.nan, math.inf, -math.inf, 1e22, 1e15, 1e-15, 5e-324], _N),
  ],
  ids=["random", "rounded", "bits", "whole", "tens", "special"],
)
def test_many_doubles_are_written_as_one_by_one(values):
  assert rows(values.reshape(1, -1), b",")[0].split(b",") == [
    decimal(value).encode() for value in values.tolist()
  ]


def test_rows_of_any_width_and_layout():
  array = _RANDOM.random((300, 8)).astype(np.float32)
  assert rows(array[:, :1], b",") == [decimal(value).encode() for value in array[:, 0]]
  assert rows(array.T, b"\n") == [
    b"\n".join(decimal(value).encode() for value in column) for column in array.T
  ]
