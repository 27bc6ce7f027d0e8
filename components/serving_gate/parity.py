"""`prove`: asks an export in every way; `Parity`: the comparison of its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

from components.serving_gate.compare import PathResult
from components.serving_gate.expectations import Expectations
from components.serving_gate.latency import Latency
from components.serving_gate.replay import op_reasons, replay_in_process
from components.serving_gate.server_replay import Served, replay_through_server, starting_server
from components.serving_gate.serving_ops import ServingRelease
from dlpipe.artifact_files import ArtifactFile
from dlpipe.errors import BadInputError
from dlpipe.verdicts import Ruling, Verdict

_LATENCY = "serving_p99_ms"
_SAME_ANSWERS = (
  "the exported model must answer as the trained one, in every loader, protocol and signature"
)
_IN_TIME = "99 of 100 requests of one row must be answered in this time, over REST and gRPC"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parity(ArtifactFile):
  """`parity.json`: the results of the replay.

  Attributes:
    rows: how many were replayed.
    tolerance: the largest difference of numbers that passes; of an output whose numbers are larger
      than 1, as a part of the largest.
    max_latency_ms: the largest p99 that passes; None for no limit.
    serving_release: the TensorFlow Serving whose ops the graph was held to.
    latency: of each protocol; empty if it was not measured.
    skipped: sentences on tests that were not tried.
    paths: every output of every signature, in every way that it was asked.
    op_reasons: why the release could not run the graph.
    log: the model server's output, empty if none was started; not in the file.
  """

  FILE: ClassVar[str] = "parity.json"

  rows: int
  tolerance: float
  max_latency_ms: float | None
  serving_release: str
  latency: tuple[Latency, ...] = ()
  skipped: tuple[str, ...] = ()
  paths: tuple[PathResult, ...] = ()
  op_reasons: tuple[str, ...] = ()
  log: str = ""

  @property
  def reasons(self) -> list[str]:
    """Why the model is refused; empty for one that passed."""
    slow = [latency.reason(self.max_latency_ms) for latency in self.latency]
    return [
      # First, since a path that fails may fail for that.
      *self.op_reasons,
      *(path.sentence for path in self.paths if not path.passed),
      *filter(None, slow),
    ]

  @property
  def verdict(self) -> Verdict:
    """The bounds, what was measured, and whether the export may be served."""
    return Verdict(rulings=tuple(self._rulings()))

  @property
  def passed(self) -> bool:
    """Whether the export may be served."""
    return self.verdict.passed

  @property
  def is_only_slow(self) -> bool:
    """Whether nothing but the latency refuses."""
    return self.verdict.failed == [_LATENCY]

  @property
  def largest(self) -> PathResult | None:
    """The refused path that differs most; None if no difference can be told in numbers."""
    refused = [path for path in self.paths if not path.passed and path.max_difference is not None]
    return max(refused, key=lambda path: path.max_difference or 0, default=None)

  def to_json(self) -> dict[str, Any]:
    """Returns the content of the file: the fields, and the values computed from them."""
    fields = dataclasses.asdict(self)
    del fields["log"]
    gates = self.verdict.to_json()["gates"]
    return {"passed": self.passed, **fields, "reasons": self.reasons, "gates": gates}

  def _rulings(self) -> Iterator[Ruling]:
    slowest = max((each.p99_ms for each in self.latency), default=None)
    slow = [each.reason(self.max_latency_ms) for each in self.latency]
    wrong = [path for path in self.paths if not path.passed]
    reasons = [*(path.sentence for path in wrong), *self.op_reasons]
    compared = [
      path.max_difference / path.slack for path in self.paths if path.max_difference is not None
    ]
    largest = max(compared, default=None)
    if reasons and largest is not None and largest <= self.tolerance:
      largest = None  # the model is refused for a reason that is not this number
    yield Ruling(
      metric="serving_difference",
      bound=f"<= {self.tolerance:g}",
      value=largest,
      passed=not reasons,
      reason=f"{_SAME_ANSWERS}. {reasons[0]}" if reasons else _SAME_ANSWERS,
    )
    if self.max_latency_ms is not None and self.latency:
      yield Ruling(
        metric=_LATENCY,
        bound=f"<= {self.max_latency_ms:g}",
        value=slowest,
        passed=not any(slow),
        reason=_IN_TIME,
      )


def prove(
  model_dir: str,
  expectations: Expectations,
  *,
  model_name: str,
  tolerance: float,
  max_latency_ms: float | None,
  release: ServingRelease,
) -> Parity:
  """Asks the export in every way that it will be asked.

  A model that does not load, or fails while it runs, is refused by that; it raises nothing here.
  The server starts while the loaders of this process replay, and is asked about a model that both
  let through, and about no other.

  Args:
    model_dir: the SavedModel's directory.
    expectations: rows and right answers.
    model_name: the name it is served under.
    tolerance: the largest difference of numbers that passes; of an output whose numbers are larger
      than 1, as a part of the largest.
    max_latency_ms: the largest p99 of requests of one row, over each protocol; None for no limit.
    release: the TensorFlow Serving that must be able to run the graph.

  Raises:
    BadInputError: `tolerance` is negative, or `max_latency_ms` not positive.
  """
  if not tolerance >= 0:
    raise BadInputError(f"push.tolerance must be 0 or more. Received: tolerance={tolerance!r}")
  if max_latency_ms is not None and not max_latency_ms > 0:
    raise BadInputError(
      f"gates.max_latency_ms must be above 0. Received: max_latency_ms={max_latency_ms!r}"
    )
  with starting_server(model_dir, model_name) as server:
    paths = tuple(replay_in_process(model_dir, expectations, tolerance=tolerance))
    unservable = tuple(op_reasons(model_dir, release))
    if unservable or not all(path.passed for path in paths):
      served = Served(
        paths=(), skipped=("No model server was asked, since the model is refused without it.",)
      )
    else:
      served = replay_through_server(
        server, expectations, model_name=model_name, tolerance=tolerance
      )
  return Parity(
    rows=len(expectations.examples),
    tolerance=tolerance,
    max_latency_ms=max_latency_ms,
    serving_release=str(release),
    paths=paths + served.paths,
    latency=served.latency,
    skipped=served.skipped,
    op_reasons=unservable,
    log=served.log,
  )
