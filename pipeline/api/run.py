"""`Run`: what became of a run, whether it just ended or earlier, for callers in Python."""

from __future__ import annotations

import dataclasses
import html
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.runs import result as results
from pipeline.runs.result import RunResult

if TYPE_CHECKING:
  from dlpipe.verdicts import Ruling
  from dlpipe.workspace import TaskFolder
  from pipeline.runs.facts import Facts
  from pipeline.runs.lineage import PastRun

_FRAME_HEIGHT_PX = 720


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Run:
  """A run, and what became of it. In a notebook it shows its report.

  >>> run = dlpipe.run("images", tiny=True)
  >>> run.version, run.task
  (1, 'images')
  >>> run.metrics["accuracy"] > 0.5
  True
  >>> [verdict.metric for verdict in run.verdicts if not verdict.passed]
  []
  >>> run.examples["quarantined"], run.report.suffix, run.exit_code
  (0, '.html', 0)
  >>> run == dlpipe.runs("images")[0]
  True

  Attributes:
    run_id: its name in the metadata store.
    task: the task's name.
    state: `pushed` or `cached`: a model stands. `refused_data` or `refused_model`: a gate said no.
      `failed`; `done` where nothing was to be pushed, as by `check`; of an earlier run also
      `unfinished`, where a process was killed or a model stopped short of the push, and `at_work`,
      where a process is at it now.
    started: when its first node began, ISO 8601 in UTC.
    version: the version that was pushed, or found to be pushed before; None if none.
    metrics: the evaluation's overall metrics by name; empty if it did not come so far.
    verdicts: every bound that was judged: `metric`, `bound`, `value`, `passed`, `reason` and
      `interval`, what 95 % of eval splits of this size would find.
    examples: number of examples by split, and `quarantined`.
    warnings: sentences on what a person must know of the data and the model; what `check` found
      beside its gate, its own run and its report say.
    data: the input; None where the run's file is not there, as of an orchestrator.
    recognized: what the input was taken for: `layout`, `fields`, `classes`, `sentences` and more.
    report: the HTML report; None if there is none.
    log: the file that holds what TensorFlow, Beam and TFX said; None if there is none.
    serving_dir: the TensorFlow Serving base path of the task.
  """

  run_id: str
  task: str
  state: str
  started: str
  version: int | None
  metrics: Mapping[str, float]
  verdicts: tuple[Ruling, ...]
  examples: Mapping[str, int]
  warnings: tuple[str, ...]
  data: pathlib.Path | None
  recognized: Mapping[str, Any]
  report: pathlib.Path | None
  log: pathlib.Path | None
  serving_dir: pathlib.Path

  @property
  def exit_code(self) -> int:
    """What `dlpipe run` ends with: 0; 3 data and 4 model refused; 1 failed, or came to no end."""
    return 0 if self.state == "done" else results.EXIT_CODES.get(self.state, 1)

  def __repr__(self) -> str:
    version = f", version {self.version}" if self.version is not None else ""
    return f"<Run {self.run_id} of {self.task}: {self.state}{version}>"

  def _repr_html_(self) -> str:
    """The report in a frame of its own, so that its style and the notebook's stay apart."""
    line = f"<pre>{html.escape(repr(self))}</pre>"
    try:
      report = self.report.read_text(encoding="utf-8") if self.report is not None else None
    except OSError:  # deleted since
      report = None
    if report is None:
      return line
    return (
      f'{line}<iframe srcdoc="{html.escape(report)}" sandbox width="100%" '
      f'height="{_FRAME_HEIGHT_PX}" style="border: 1px solid #ccc"></iframe>'
    )


def as_run(
  past: PastRun,
  facts: Facts,
  folder: TaskFolder,
  *,
  data: str | None,
  ended: RunResult | None = None,
) -> Run:
  """The run.

  Args:
    past: what the metadata store has of it.
    facts: what its artifacts say.
    folder: its task's folder in the workspace.
    data: the path of its input, if that is known.
    ended: its end, where it just came to one: that knows which nodes it was to run.
  """
  from pipeline.runs import lineage

  gates = facts.rulings
  if ended is not None:
    told, model_warnings = ended.findings, ended.model_warnings
  else:
    told = results.told_findings(facts.data.findings, gates)
    model_warnings = facts.warnings
  state, version = past.state, past.pushed_version
  if ended is not None:
    # A run may be told to stop before it pushes; the store alone cannot know that.
    is_done = ended.state == results.CACHED and state == lineage.UNFINISHED
    state = lineage.DONE if is_done else state if ended.state == results.CACHED else ended.state
    version = ended.pushed_version
  report, log = folder.report(past.run_id), folder.log(past.run_id)
  return Run(
    run_id=past.run_id,
    task=past.task,
    state=state,
    started=past.started,
    version=version,
    metrics=dict(past.metrics),
    verdicts=tuple(gates),
    examples=facts.examples,
    warnings=(*(each["what"] for each in told if each["level"] == "warning"), *model_warnings),
    data=pathlib.Path(data) if data is not None else None,
    recognized=dict(facts.recognized),
    report=report if report.is_file() else None,
    log=log if log.is_file() else None,
    serving_dir=folder.serving,
  )
