"""`Run` holds the result of a run that has just ended, or ended earlier, for callers in Python."""

from __future__ import annotations

import dataclasses
import html
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlpipe.errors import BadInputError
from dlpipe.nodes import PREDICTIONS
from pipeline.rows import files
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
  """A run and its result. In a notebook it shows its report.

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
    run_id: name of the run in the metadata store.
    task: the task's name.
    state: `pushed`, or `cached` if the model was pushed before; `refused_data` or `refused_model`
      if a gate refused; `failed`; `done` if the run was not to push, as with `check`. An earlier
      run may also be `unfinished`, if it ended before the push, or `at_work`, if a process is
      running it now.
    started: start of the first node, ISO 8601 in UTC.
    version: the version that this run pushed, or that was pushed before; None if there is none.
    metrics: the evaluation's overall metrics by name; empty if the model was not evaluated.
    verdicts: every bound that was judged: `metric`, `bound`, `value`, `passed`, `reason` and
      `interval`, the 95 % interval of the metric for eval splits of this size.
    examples: number of examples by split, and `quarantined`.
    warnings: sentences about problems of the data and the model. Findings about single examples
      appear only on the run that `check` returns, and in its report.
    data: the input; None if the run's file is missing, as for a run of an orchestrator.
    recognized: how the input was read: `layout`, `fields`, `classes`, `sentences` and more.
    report: the HTML report; None if there is none.
    log: the file with the output of TensorFlow, Beam and TFX; None if there is none.
    serving_dir: the TensorFlow Serving base path of the task.
    spans: the spans of the data that it saw, with name, version, content and counts; empty for data
      without spans.
    predictions: what the model says of each val and eval example: `predictions.parquet`; `rows`
      reads it. None if the model was not evaluated.
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
  predictions: pathlib.Path | None = None
  spans: tuple[Mapping[str, Any], ...] = ()

  def rows(
    self, where: str | None = None, *, sort: str | None = None, limit: int | None = None
  ) -> list[dict[str, Any]]:
    """Returns val and eval examples with their origins and what the model says of them.

    >>> run = dlpipe.runs("images")[0]
    >>> sorted(run.rows("split == 'eval'", sort="loss", limit=1)[0])[:5]
    ['decision', 'familiarity', 'file', 'id', 'input']

    Args:
      where: a condition on the columns, such as "label == 'cat' and predicted == 'dog'".
      sort: a column; numbers from the greatest down, such as "loss"; "loss:asc" from the least up.
      limit: the most rows; None for all.

    Raises:
      BadInputError: the run has no predictions, or an argument cannot be used.
    """
    from pipeline.rows import table

    if self.predictions is None:
      raise BadInputError(f"The run {self.run_id} has no predictions.")
    rows = table.read(self.predictions.parent)
    return table.as_rows(table.asked(rows, where=where, sort=sort, limit=limit))

  @property
  def exit_code(self) -> int:
    """The exit code of `dlpipe run`: 3 data refused, 4 model refused, 1 failed, else 0."""
    return 0 if self.state == "done" else results.EXIT_CODES.get(self.state, 1)

  def __repr__(self) -> str:
    version = f", version {self.version}" if self.version is not None else ""
    return f"<Run {self.run_id} of {self.task}: {self.state}{version}>"

  def _repr_html_(self) -> str:
    """Returns the report in an iframe, so that its style does not affect the notebook's."""
    line = f"<pre>{html.escape(repr(self))}</pre>"
    try:
      report = self.report.read_text(encoding="utf-8") if self.report is not None else None
    except OSError:  # deleted meanwhile
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
  """Makes a `Run`.

  Args:
    past: the run's record in the metadata store.
    facts: facts from the run's artifacts.
    folder: the task's folder in the workspace.
    data: the path of the run's input, if it is known.
    ended: the run's result, if the run has just ended; only it knows which nodes were to run.
  """
  from pipeline.runs import lineage

  gates = facts.rulings
  if ended is not None:
    told, model_warnings = ended.findings, ended.model_warnings
  else:
    told = results.told_findings(facts.findings, gates)
    model_warnings = facts.warnings
  state, version = past.state, past.pushed_version
  if ended is not None:
    # The metadata store does not record that a run was to stop before the push.
    is_done = ended.state == results.CACHED and state == lineage.UNFINISHED
    state = lineage.DONE if is_done else state if ended.state == results.CACHED else ended.state
    version = ended.pushed_version
  report, log = folder.report(past.run_id), folder.log(past.run_id)
  predictions = PREDICTIONS.find({node["id"]: node["outputs"] for node in past.nodes})
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
    predictions=pathlib.Path(predictions) / files.FILE if predictions is not None else None,
    spans=tuple(facts.spans),
  )
