"""What the ServingGate held an export to, as rows beside those of the metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.runners.result import GateResult


def serving_gates(parity: Mapping[str, Any] | None) -> list[GateResult]:
  """The answers' row, and the latency's where there is a limit.

  Args:
    parity: the content of `parity.json`; None where the ServingGate did not run.
  """
  if not parity:
    return []
  limit, latency = parity["max_latency_ms"], parity["latency"]
  slowest = max((each["p99_ms"] for each in latency), default=math.nan)
  is_slow = limit is not None and slowest > limit
  failed = [path for path in parity["paths"] if not path["passed"]]
  differences = [
    path["max_difference"] for path in parity["paths"] if path["max_difference"] is not None
  ]
  largest = max(differences, default=math.nan)
  passed = not failed and (bool(parity["passed"]) or is_slow)
  if not passed and largest <= parity["tolerance"]:
    largest = math.nan  # what refuses is no number
  why = "the exported model must answer as the trained one, in every loader, protocol and signature"
  gates = [
    GateResult(
      metric="serving_difference",
      bound=f"<= {parity['tolerance']:g}",
      value=largest,
      passed=passed,
      reason=why if passed else f"{why}. {parity['reasons'][0]}",
    )
  ]
  if limit is not None and latency:
    gates.append(
      GateResult(
        metric="serving_p99_ms",
        bound=f"<= {limit:g}",
        value=slowest,
        passed=not is_slow,
        reason="99 of 100 requests of one row must be answered in this time, over REST and gRPC",
      )
    )
  return gates
