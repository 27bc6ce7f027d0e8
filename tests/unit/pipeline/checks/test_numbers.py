"""Findings about answers that are numbers."""

import numpy as np
import pytest

from pipeline.checks.description import Row, label_bytes
from pipeline.checks.numbers import Survey


def _findings(train, held_out=()):
  survey = Survey()
  for split, numbers in (("train", train), ("eval", held_out)):
    for number in numbers:
      survey.add(Row(split, b"x", label_bytes([float(number)])))
  return {finding.name: finding for finding in survey.findings()}


def test_numbers_like_each_other_are_nothing_to_say():
  assert _findings(range(50), range(10, 40)) == {}
  assert _findings([]) == {}


def test_a_constant_is_told():
  found = _findings([2.5] * 7, [3.5])
  assert list(found) == ["constant"]
  assert found["constant"].what == "All 7 training examples have the number 2.5."


def test_what_stands_for_missing_is_told_with_how_often():
  found = _findings([*range(100), -9999, -9999], [-9999])
  assert found["far_values"].what == "3 numbers far from all others."
  assert found["far_values"].details == ("-9999: 3",)


@pytest.mark.parametrize(("held_out", "said"), [([55], "1 number"), ([-1, 200.5], "2 numbers")])
def test_what_train_never_has_is_told(held_out, said):
  found = _findings(range(50), held_out)
  assert found["outside_range"].what == f"{said} outside of 0 to 49, the range of train."


def test_numbers_that_float32_hardly_tells_apart_are_told():
  # Seconds since 1970 lie 128 apart as float32, and these differ by some hundred.
  numbers = [float(np.float32(1_764_500_000 + second)) for second in range(0, 1500, 7)]
  found = _findings(numbers)
  assert found["coarse"].what == (
    "All 215 training examples are kept in steps of 128, which is 0.296 of their standard "
    "deviation."
  )
  assert "Subtract" in found["coarse"].advice
  assert "coarse" not in _findings([1_000_000 + each for each in range(500)])
  assert "coarse" not in _findings([float(np.float32(0.1 * each)) for each in range(500)])


def test_a_few_numbers_are_not_told_apart_by_their_quartiles():
  assert _findings([1, 2, 900]) == {}
