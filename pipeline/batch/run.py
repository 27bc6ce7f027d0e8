"""Runs one batch through Beam: from a plan of inputs to complete files."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from dlpipe import progress
from dlpipe.causes import is_interrupt, user_error
from dlpipe.errors import DlpipeError
from pipeline.batch.columns import make_layout
from pipeline.batch.inputs import InputPlan
from pipeline.batch.model import read_outputs
from pipeline.batch.outputs import OutputPlan, publish, staging
from pipeline.batch.predict import PredictShard, ShardReport, Work, shard_elements
from pipeline.beam.options import beam_args
from pipeline.settings.config import PipelineConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchResult:
  """The result of a batch.

  Attributes:
    rows: number of rows, equal in input and output.
    errors: number of rows without a prediction.
    first_error: the error of the first of these rows.
    outputs: paths of the files.
    renamed: new names of outputs whose own names a column of the input already has.
    seconds: wall time, without imports.
  """

  rows: int
  errors: int
  first_error: str | None
  outputs: list[str]
  renamed: Mapping[str, str]
  seconds: float


def run(
  config: PipelineConfig,
  *,
  model_dir: str | os.PathLike[str],
  inputs: InputPlan,
  outputs: OutputPlan,
  batch_size: int,
  vectors: bool = False,
  listener: Callable[[Mapping[str, Any]], None] = lambda fields: None,
) -> BatchResult:
  """Predicts every row and writes the output.

  Args:
    config: names the task and Beam's runner.
    model_dir: the SavedModel's directory.
    inputs: the inputs to read.
    outputs: the output to write.
    batch_size: number of rows that the model gets at once.
    vectors: whether to write outputs with several values per row.
    listener: called with `rows`, `errors` and `shards` as they are completed, if workers are
      threads of this process.

  Raises:
    DlpipeError: the model cannot predict, or a file cannot be written.
    KeyboardInterrupt: the user pressed Ctrl-C; Beam wraps this error, and `run` unwraps it.
  """
  started = time.monotonic()
  layout = make_layout(
    inputs.columns, read_outputs(model_dir), vectors=vectors, input_types=inputs.types
  )
  with staging(outputs) as parts_dir, _progress_to(listener):
    work = Work(
      task=config.task,
      model_dir=os.fspath(model_dir),
      inputs=dataclasses.replace(inputs, shards=()),
      layout=layout,
      outputs=outputs,
      parts_dir=parts_dir,
      batch_size=batch_size,
    )
    _predict(work, inputs, beam_args(config))
    reports = [ShardReport.load(parts_dir, number) for number in range(len(inputs.shards))]
    parts = [(os.path.join(parts_dir, n), rows) for report in reports for n, rows in report.parts]
    try:
      paths = publish(outputs, parts, layout, parts_dir)
    except OSError as err:
      raise DlpipeError(f"Cannot write {outputs.path!r}: {err.strerror or err}.") from err
  return BatchResult(
    rows=sum(rows for _, rows in parts),
    errors=sum(report.errors for report in reports),
    first_error=next((r.first_error for r in reports if r.first_error), None),
    outputs=paths,
    renamed=layout.renamed,
    seconds=time.monotonic() - started,
  )


def _predict(work: Work, inputs: InputPlan, args: list[str]) -> None:
  try:
    with beam.Pipeline(options=PipelineOptions(args)) as pipeline:
      _ = (
        pipeline
        | "Shards" >> beam.Create(shard_elements(inputs.shards))
        # Without it, a runner fuses the next step with the one worker that made the list.
        | "Spread" >> beam.Reshuffle()
        | "Predict" >> beam.ParDo(PredictShard(work))
      )
  except Exception as err:
    if is_interrupt(err):
      raise KeyboardInterrupt from err
    known = user_error(err)
    if known is not None:
      raise known from err
    raise


def _progress_to(
  listener: Callable[[Mapping[str, Any]], None],
) -> contextlib.AbstractContextManager[None]:
  def tell(message: str, fields: Mapping[str, Any]) -> None:
    if "shards" in fields:
      listener(fields)

  return progress.forwarded(tell)
