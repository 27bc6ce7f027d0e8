"""What a run came to: one value that the exit code, `--json`, the terminal and the report read.

Built by runners. Imports only the standard library and `dlpipe.errors`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.errors import (
  BadInputError,
  BusyError,
  DataRefusedError,
  DlpipeError,
  ModelRefusedError,
)

PUSHED = "pushed"
CACHED = "cached"
REFUSED_DATA = "refused_data"
REFUSED_MODEL = "refused_model"
FAILED = "failed"

EXIT_CODES = {
  PUSHED: 0,
  CACHED: 0,
  REFUSED_DATA: DataRefusedError.exit_code,
  REFUSED_MODEL: ModelRefusedError.exit_code,
  FAILED: DlpipeError.exit_code,
}

# What is found before training, and told after it by the intervals of what was measured.
_FEW_EXAMPLES = "few_examples"

# What a sentence about the model is among findings, which have these fields.
_MODEL_WARNING = {"name": "model", "level": "warning", "count": 1, "advice": "", "details": []}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComponentResult:
  """What one node of the pipeline did.

  Attributes:
    id: the node's id.
    state: COMPLETE, CACHED, FAILED or SKIPPED, as `events.ComponentFinished` has it.
    seconds: wall time.
    peak_rss_mb: the most memory its process held, in MB of 10^6 bytes; 0.0 where unknown.
  """

  id: str
  state: str
  seconds: float
  peak_rss_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class GateResult:
  """One bound, what was measured, and whether it held.

  >>> verdict = dlpipe.Verdict(
  ...   metric="accuracy", bound=">= 0.9", value=0.93, passed=True, reason="below, no use"
  ... )
  >>> verdict.passed
  True

  Attributes:
    metric: what was measured.
    bound: what had to hold, such as ">= 0.9", or a bare number.
    value: what was measured; None where nothing was.
    passed: whether the bound held.
    reason: why the bound is there, in words a reader of the report understands.
    interval: what 95 % of eval splits of this size would find, `[low, high]`; None where unknown.
  """

  metric: str
  bound: str | float
  value: float | None
  passed: bool
  reason: str
  interval: list[float] | None = None

  @classmethod
  def of(cls, gate: Mapping[str, Any]) -> GateResult:
    """What a judge wrote down."""
    return cls(**gate)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunResult:
  """The end of a run.

  Attributes:
    run_id: the run's name in the metadata store.
    task: the task's name.
    state: PUSHED, CACHED, REFUSED_DATA, REFUSED_MODEL or FAILED.
    pushed_version: the version that this run put, or found, in `serving_dir`; None if none.
    serving_dir: the TensorFlow Serving base path.
    metrics: the evaluation's overall metrics by name.
    gates: every bound that was checked, in order.
    components: every node, in the order the pipeline draws them.
    examples: number of examples: `train`, `eval`, `quarantined`, and further splits if any.
    recognized: what the input was taken for, as `Recognized.to_json` writes it; empty where the
      source does not say, or the run did not come so far.
    report: path of the HTML report; None if none was written.
    error: the one clear message, where the run failed or was refused.
    hint: what to do about it.
    bad_input: whether a FAILED run failed on what it was given; changes only the exit code.
    busy: whether a FAILED run found somebody else at work; changes only the exit code.
    model_warnings: sentences on what a person must know before believing the model.
    served_version: the newest version in `serving_dir`, where that is another: what this run came
      to stands there since before a rollback.
    data_findings: what DataGate found beside its checks, [{name, level, count, what, advice,
      details}].
    check: what `dlpipe check` found, as `check_data` returns it; None for other commands.
  """

  run_id: str
  task: str
  state: str
  pushed_version: int | None
  serving_dir: str
  metrics: dict[str, float]
  gates: list[GateResult]
  components: list[ComponentResult]
  examples: dict[str, int]
  report: str | None
  error: str | None = None
  hint: str | None = None
  bad_input: bool = False
  busy: bool = False
  served_version: int | None = None
  model_warnings: Sequence[str] = ()
  recognized: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  data_findings: Sequence[Mapping[str, Any]] = ()
  check: Mapping[str, Any] | None = None

  def __post_init__(self) -> None:
    if self.state not in EXIT_CODES:
      raise ValueError(
        f"`state` must be one of {', '.join(EXIT_CODES)}. Received: state={self.state!r}"
      )

  @property
  def exit_code(self) -> int:
    """Of the process: 0 pushed or cached, 1 failed, 2 bad input, 3, 4 refused, 75 busy."""
    if self.state == FAILED and self.bad_input:
      return BadInputError.exit_code
    if self.state == FAILED and self.busy:
      return BusyError.exit_code
    return EXIT_CODES[self.state]

  @property
  def findings(self) -> list[Mapping[str, Any]]:
    """What there is to know about the data; of `check`, all it found.

    Whether eval is too small to judge by, the judge knows best once it has measured.
    """
    found = self.check["findings"] if self.check is not None else self.data_findings
    return told_findings(found, self.gates)

  @property
  def warnings(self) -> list[Mapping[str, Any]]:
    """What a person must hear of the data, and then of the model."""
    return [
      *(finding for finding in self.findings if finding["level"] == "warning"),
      *({**_MODEL_WARNING, "what": sentence} for sentence in self.model_warnings),
    ]

  def to_json(self) -> dict[str, Any]:
    """The object `--json` prints; numbers that JSON cannot say (NaN, infinities) become None."""
    document = {
      "run_id": self.run_id,
      "task": self.task,
      "state": self.state,
      "pushed_version": self.pushed_version,
      "serving_dir": self.serving_dir,
      "metrics": self.metrics,
      "gates": [dataclasses.asdict(gate) for gate in self.gates],
      "components": [dataclasses.asdict(component) for component in self.components],
      "examples": self.examples,
      "warnings": [dict(finding) for finding in self.warnings],
      "recognized": dict(self.recognized),
      "report": self.report,
    }
    if self.served_version is not None:
      document["served_version"] = self.served_version
    if self.error is not None:
      document["error"] = self.error
    if self.check is not None:
      document["check"] = dict(self.check)
    finite: dict[str, Any] = _finite(document)
    return finite


def told_findings(
  findings: Sequence[Mapping[str, Any]], gates: Sequence[GateResult]
) -> list[Mapping[str, Any]]:
  """The findings in a run's data without those that its gates tell better."""
  is_measured = any(gate.interval for gate in gates)
  return [each for each in findings if not (is_measured and each["name"] == _FEW_EXAMPLES)]


def _finite(value: Any) -> Any:
  if isinstance(value, dict):
    return {key: _finite(item) for key, item in value.items()}
  if isinstance(value, list):
    return [_finite(item) for item in value]
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
