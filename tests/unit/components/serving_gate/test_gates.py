"""The rows that the ServingGate writes down for everybody: what passed, and what refused."""

import dataclasses

import pytest

from components.serving_gate.compare import PathResult
from components.serving_gate.latency import Latency
from components.serving_gate.parity import Parity
from dlpipe.verdicts import Verdict

_PATH = PathResult(
  loader="TF2", signature="s", output="o", batch=1, max_difference=2e-7, passed=True, reason=""
)
_BROKEN = dataclasses.replace(_PATH, max_difference=None, passed=False, reason="fails: exit code 3")
_FAR = dataclasses.replace(_PATH, max_difference=0.5, passed=False, reason="differs by 0.5")
_LATENCY = (
  Latency(protocol="REST", requests=100, p50_ms=1.0, p99_ms=4.0),
  Latency(protocol="gRPC", requests=100, p50_ms=1.0, p99_ms=3.0),
)


def _parity(**changes):
  near = dataclasses.replace(_PATH, max_difference=1e-7)
  fields = {
    "rows": 3,
    "tolerance": 1e-5,
    "max_latency_ms": None,
    "latency": _LATENCY,
    "serving_release": "TensorFlow Serving 2.16",
  }
  return Parity(**{**fields, "paths": (_PATH, near), **changes})


def _rows(parity):
  rulings = parity.verdict.rulings
  assert Verdict.from_json(parity.to_json()) == parity.verdict
  assert parity.passed == all(ruling.passed for ruling in rulings)
  assert parity.passed == (not parity.reasons)
  return [(r.metric, r.bound, r.value, r.passed) for r in rulings]


def test_without_a_limit_the_latency_is_no_gate():
  assert _rows(_parity()) == [("serving_difference", "<= 1e-05", 2e-7, True)]


def test_an_explanation_is_measured_by_the_bound_that_it_is_held_to():
  # Held to 100 times the tolerance: what passes is never shown as more than the bound.
  explained = dataclasses.replace(_PATH, max_difference=7e-5, slack=100)
  assert _rows(_parity(paths=(_PATH, explained))) == [
    ("serving_difference", "<= 1e-05", pytest.approx(7e-7), True)
  ]
  far = dataclasses.replace(explained, max_difference=2e-3, passed=False, reason="differs by 0.002")
  assert _rows(_parity(paths=(_PATH, far))) == [
    ("serving_difference", "<= 1e-05", pytest.approx(2e-5), False)
  ]


@pytest.mark.parametrize(("limit", "passed"), [(4.0, True), (3.9, False)])
def test_the_slower_protocol_decides(limit, passed):
  assert _rows(_parity(max_latency_ms=limit)) == [
    ("serving_difference", "<= 1e-05", 2e-7, True),
    ("serving_p99_ms", f"<= {limit:g}", 4.0, passed),
  ]


def test_a_difference_and_slowness_refuse_each_by_its_row():
  rows = _rows(_parity(paths=(_PATH, _FAR), max_latency_ms=3.5))
  assert [(metric, value, passed) for metric, _, value, passed in rows] == [
    ("serving_difference", 0.5, False),
    ("serving_p99_ms", 4.0, False),
  ]


def test_only_a_refusal_for_the_latency_alone_is_measured_again():
  assert _parity(max_latency_ms=3.5).is_only_slow
  assert not _parity(max_latency_ms=3.5, paths=(_PATH, _FAR)).is_only_slow
  assert not _parity(max_latency_ms=4.5).is_only_slow
  assert not _parity(paths=(_FAR,)).is_only_slow


def test_what_was_not_measured_is_no_row():
  [row] = _parity(max_latency_ms=1.0, latency=(), paths=(_BROKEN,)).verdict.rulings
  assert (row.metric, row.value, row.passed) == ("serving_difference", None, False)
  assert "fails: exit code 3" in row.reason


@pytest.mark.parametrize(
  ("changes", "reason"),
  [
    ({"paths": (_PATH, _BROKEN)}, "fails: exit code 3"),
    ({"op_reasons": ("The model uses the op X.",)}, "The model uses the op X."),
  ],
)
def test_a_refusal_without_a_number_shows_none_that_passed(changes, reason):
  [row] = _parity(**changes).verdict.rulings
  assert (row.value, row.passed) == (None, False)
  assert reason in row.reason
