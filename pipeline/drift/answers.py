"""Makes the `Profile` of a model's answers to eval, from `predictions.parquet`."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.compute as pc

from dlpipe.records import EVAL
from pipeline.drift.measuring import Kind, Measure, Row
from pipeline.drift.profile import Profile
from pipeline.rows import table
from pipeline.rows.files import FILE

_MOST = 10_000
_BATCH = 1_000


def profile(predictions_dir: pathlib.Path, told: Mapping[str, Any]) -> Profile | None:
  """Returns what a model answers to eval; None without predictions.

  Args:
    predictions_dir: directory of the `Predictions` artifact.
    told: the result of `examples.parameters`.
  """
  if not (predictions_dir / FILE).is_file():
    return None
  kind = Kind(**told["kind"])
  several = kind.has_classes and not kind.has_one_class
  names = ["split", "predicted", "score", "scores"]
  found = table.read(predictions_dir, without=() if several else ["scores"])
  found = found.select([name for name in names if name in found.column_names])
  found = found.filter(pc.equal(found["split"], EVAL)).slice(0, _MOST)
  labels = table.names_of_scores(found)

  def rows() -> Iterator[Row]:
    for batch in found.to_batches(max_chunksize=_BATCH):
      for row in batch.to_pylist():
        if several:
          yield Row(answer={"labels": labels, "scores": row["scores"]})
        else:
          answer = {"label": row["predicted"], "score": row.get("score")}
          yield Row(answer={name: value for name, value in answer.items() if value is not None})

  return Measure(kind).profile(rows())
