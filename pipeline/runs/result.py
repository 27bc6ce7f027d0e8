"""`RunResult`: the result of a run, which exit code, `--json`, terminal and report read.

Built by `record`. Imports only the standard library and the ground.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.artifact_files import finite
from dlpipe.errors import (
  BadInputError,
  BusyError,
  DataRefusedError,
  DlpipeError,
  ModelRefusedError,
)
from dlpipe.verdicts import Ruling

PUSHED = "pushed"
CACHED = "cached"
REFUSED_DATA = "refused_data"
REFUSED_MODEL = "refused_model"
FAILED = "failed"
# States of a run that is seen from outside; `pipeline.runs.lineage` says when.
UNFINISHED, AT_WORK, DONE = "unfinished", "at_work", "done"

EXIT_CODES = {
  PUSHED: 0,
  CACHED: 0,
  REFUSED_DATA: DataRefusedError.exit_code,
  REFUSED_MODEL: ModelRefusedError.exit_code,
  FAILED: DlpipeError.exit_code,
}

# A finding before training; after it, the intervals of the metrics say the same.
_FEW_EXAMPLES = "few_examples"

# Turns a sentence about the model into a finding, which has these fields.
_MODEL_WARNING = {"name": "model", "level": "warning", "count": 1, "advice": "", "details": []}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComponentResult:
  """The result of one node.

  Attributes:
    id: the node's id.
    state: COMPLETE, CACHED, FAILED or SKIPPED, as `events.ComponentFinished` has it.
    seconds: wall time.
    peak_rss_mb: the most memory its process held, in MB of 10^6 bytes; 0.0 if unknown.
  """

  id: str
  state: str
  seconds: float
  peak_rss_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cleaned:
  """What a run deleted of earlier runs, because `keep` says so.

  Attributes:
    runs: the names of the runs.
    freed_bytes: bytes that were deleted.
    left_bytes: bytes that the task's folder takes now.
    over_bytes: bytes by which that exceeds `keep.max_mb`, because the rest is protected; else 0.
  """

  runs: tuple[str, ...]
  freed_bytes: int
  left_bytes: int
  over_bytes: int


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
    recognized: the layout that the source recognized, as `Recognized.to_json` writes it; empty if
      the source does not say, or the run ended before it read.
    report: path of the HTML report; None if none was written.
    error: the one clear message, if the run failed or was refused.
    hint: the next command to try.
    bad_input: whether a FAILED run failed because of its input; changes only the exit code.
    busy: whether a FAILED run found another process at work; changes only the exit code.
    model_warnings: sentences on what a person must know before believing the model.
    served_version: the newest version in `serving_dir`, if it is not `pushed_version`: a rollback
      was made since this run's model was first pushed.
    data_findings: those of DataGate and DriftGate, [{name, level, count, what, advice, details}].
    check: the findings of `dlpipe check`, as `check_data` returns them; None for other commands.
    candidate: whether `pushed_version` waits for `dlpipe promote`, and no server takes it.
    cleaned: what was deleted of earlier runs; None if `keep` sets no bound.
    spans: the spans of the data that the run saw, as `SpanSeen` has them; empty without spans.
    warm_start: how the training began, as `WarmStart` has it; None without `train.warm_start`.
    baseline: what a cheap model and the network are worth on the same rows, as `Baseline` has it.
  """

  run_id: str
  task: str
  state: str
  pushed_version: int | None
  serving_dir: str
  metrics: dict[str, float]
  gates: list[Ruling]
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
  candidate: bool = False
  cleaned: Cleaned | None = None
  spans: Sequence[Mapping[str, Any]] = ()
  warm_start: Mapping[str, Any] | None = None
  baseline: Mapping[str, Any] | None = None

  def __post_init__(self) -> None:
    if self.state not in EXIT_CODES:
      raise ValueError(
        f"`state` must be one of {', '.join(EXIT_CODES)}. Received: state={self.state!r}"
      )

  @property
  def exit_code(self) -> int:
    """The process's exit code: 0 pushed or cached, 1 failed, 2 bad input, 3, 4 refused, 75 busy."""
    if self.state == FAILED and self.bad_input:
      return BadInputError.exit_code
    if self.state == FAILED and self.busy:
      return BusyError.exit_code
    return EXIT_CODES[self.state]

  @property
  def findings(self) -> list[Mapping[str, Any]]:
    """The findings on the data: those of `dlpipe check`, else those of DataGate.

    A guess that eval is too small is left out once the judge has measured an interval.
    """
    found = self.check["findings"] if self.check is not None else self.data_findings
    return told_findings(found, self.gates)

  @property
  def warnings(self) -> list[Mapping[str, Any]]:
    """The warnings about the data, then those about the model."""
    return [
      *(finding for finding in self.findings if finding["level"] == "warning"),
      *({**_MODEL_WARNING, "what": sentence} for sentence in self.model_warnings),
    ]

  def to_json(self) -> dict[str, Any]:
    """Returns the object `--json` prints; numbers that JSON lacks (NaN, infinities) become None."""
    document = {
      "run_id": self.run_id,
      "task": self.task,
      "state": self.state,
      "pushed_version": self.pushed_version,
      "serving_dir": self.serving_dir,
      "metrics": self.metrics,
      "gates": [ruling.to_json() for ruling in self.gates],
      "components": [dataclasses.asdict(component) for component in self.components],
      "examples": self.examples,
      "warnings": [dict(finding) for finding in self.warnings],
      "recognized": dict(self.recognized),
      "report": self.report,
    }
    if self.spans:
      document["spans"] = [dict(span) for span in self.spans]
    if self.warm_start is not None:
      document["warm_start"] = dict(self.warm_start)
    if self.served_version is not None:
      document["served_version"] = self.served_version
    if self.candidate:
      document["stage"] = "candidate"
    if self.error is not None:
      document["error"] = self.error
    if self.check is not None:
      document["check"] = dict(self.check)
    if self.baseline is not None:
      document["baseline"] = dict(self.baseline)
    if self.cleaned is not None:
      document["cleaned"] = dataclasses.asdict(self.cleaned)
    told: dict[str, Any] = finite(document)
    return told


def told_findings(
  findings: Sequence[Mapping[str, Any]], gates: Sequence[Ruling]
) -> list[Mapping[str, Any]]:
  """Returns the findings in a run's data without those that its gates tell better."""
  is_measured = any(gate.interval for gate in gates)
  return [each for each in findings if not (is_measured and each["name"] == _FEW_EXAMPLES)]
