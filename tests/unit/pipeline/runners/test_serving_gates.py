"""The ServingGate's rows among a run's gates."""

import math

import pytest

from pipeline.runners.serving_gates import serving_gates

_PASSED = {"passed": True, "max_difference": 2e-7}
_FAILED = {"passed": False, "max_difference": None}
_LATENCY = [{"protocol": "REST", "p99_ms": 4.0}, {"protocol": "gRPC", "p99_ms": 3.0}]


def _parity(**changes):
  return {
    "passed": True, "tolerance": 1e-5, "max_latency_ms": None, "reasons": [],
    "latency": _LATENCY, "paths": [_PASSED, {"passed": True, "max_difference": 1e-7}], **changes,
  }  # fmt: skip


def _rows(**changes):
  return [(g.metric, g.bound, g.value, g.passed) for g in serving_gates(_parity(**changes))]


def test_without_a_limit_the_latency_is_no_gate():
  assert serving_gates(None) == []
  assert _rows() == [("serving_difference", "<= 1e-05", 2e-7, True)]


@pytest.mark.parametrize(("limit", "passed"), [(4.0, True), (3.9, False)])
def test_the_slower_protocol_decides(limit, passed):
  rows = _rows(max_latency_ms=limit, passed=passed, reasons=[] if passed else ["Over REST"])
  assert rows == [
    ("serving_difference", "<= 1e-05", 2e-7, True),
    ("serving_p99_ms", f"<= {limit:g}", 4.0, passed),
  ]


def test_what_was_not_measured_is_no_row():
  refused = {"passed": False, "reasons": ["The TF1 loader cannot load"], "paths": [_FAILED]}
  [row] = serving_gates(_parity(max_latency_ms=1.0, latency=[], **refused))
  assert (row.metric, row.passed) == ("serving_difference", False)
  assert math.isnan(row.value)
  assert row.reason.endswith("signature. The TF1 loader cannot load")


@pytest.mark.parametrize(
  "changes",
  [
    {"paths": [_PASSED, _FAILED], "reasons": ["fails: exit code 3"]},
    {"reasons": ["The model uses ops that TensorFlow Serving cannot run: X."]},
  ],
)
def test_a_refusal_without_a_number_shows_none_that_passed(changes):
  [row] = serving_gates(_parity(passed=False, **changes))
  assert not row.passed
  assert math.isnan(row.value)
  assert changes["reasons"][0] in row.reason
