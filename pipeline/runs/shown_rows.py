"""Reads from a run's predictions what the report shows: rows with their inputs, and curves."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlpipe.words import shortest
from pipeline.problems.rows import LABEL_LIST, MEASURE
from pipeline.rows import chosen, curves, flips, previews, table
from pipeline.rows.files import FILE, SHOWN_FILE
from pipeline.runs.shown.previous import Previous
from pipeline.runs.shown.reasons import ShownReasons
from pipeline.sources import origins
from pipeline.suspects import confident

_MOST_SCORES = 20_000_000  # rows times classes; more are not read for a report
_MOST_SHOWN = 3_000_000  # characters of pictures in a report


def shown_rows(
  predictions: pathlib.Path | None,
  *,
  input_kind: str,
  data_path: str,
  one_class: bool,
  previous: Previous | None = None,
) -> dict[str, Any]:
  """Returns the fields of `ReportData` that come from predictions.

  Args:
    predictions: directory of the `Predictions` artifact; None if the run has none.
    input_kind: `text`, or `file` for inputs of which only pictures can be shown.
    data_path: the input of the run, beside which the files of rows are.
    one_class: whether each row has one class of several.
    previous: what the model before it said; None if there is none.

  Returns:
    `pictures`, `texts`, `samples`, `cells`, `reasons`, `curves`, `flips` and `suspected`.
  """
  shown: dict[str, Any] = {
    "pictures": [],
    "texts": [],
    "samples": [],
    "cells": [],
    "reasons": None,
    "curves": None,
    "flips": None,
    "suspected": None,
  }
  if predictions is None or not (predictions / FILE).is_file():
    return shown
  found = table.read(predictions, without=["scores"])
  if not found.num_rows:
    return shown
  is_text = input_kind == "text"
  reasons = ShownReasons(predictions)
  has_several = bool(table.names_of_scores(found)) and not one_class
  shown["reasons"] = {**reasons.about(), "of_several": has_several}
  row_of = _row_maker(found, _inputs(predictions), reasons, data_path, is_text=is_text)
  scores = _scores(predictions, found)
  shown["curves"] = _curves(found, scores, one_class=one_class)
  if chosen.is_sampled(found):
    first, worst = chosen.samples(found)
    shown["samples"] = [{**row_of(each), "worst": each in worst} for each in [*first, *worst]]
  else:
    shown |= _mistakes(found, row_of, is_text=is_text)
  if one_class and scores is not None:
    shown["suspected"] = _suspected(found, scores)
  if previous is not None:
    shown["flips"] = _flips(found, previous, row_of)
  return shown


def _mistakes(
  found: pa.Table, row_of: Callable[[int], dict[str, Any]], *, is_text: bool
) -> dict[str, Any]:
  """Returns the worst mistakes, `texts` or `pictures`, and examples of each cell."""
  rows = [row_of(number) for number in chosen.mistakes(found)]
  if not is_text:
    rows = [row for row in rows if row["data_uri"] or row["origin"]]
  cells = [
    {"label": label, "predicted": predicted, "rows": [row_of(number) for number in numbers]}
    for (label, predicted), numbers in chosen.cells(found).items()
  ]
  return {"texts" if is_text else "pictures": rows, "cells": cells}


def _scores(directory: pathlib.Path, found: pa.Table) -> np.ndarray | None:
  """Returns `[rows, labels]` float32; None without scores of labels, or if there are too many."""
  names = table.names_of_scores(found)
  if not names or found.num_rows * len(names) > _MOST_SCORES:
    return None
  column = table.read(directory, without=found.column_names)["scores"]
  return pc.list_flatten(column).to_numpy().reshape(found.num_rows, -1)


def _curves(
  found: pa.Table, scores: np.ndarray | None, *, one_class: bool
) -> dict[str, Any] | None:
  """Returns `split`, `answers` and `labels`: curves over the judged rows; None without scores."""
  numbers = chosen.judged(found)
  judged = found.take(pa.array(numbers))
  names = table.names_of_scores(found)
  # Of several labels, the score is that of the surest wrong one: it says nothing of the answer.
  answers = curves.of_answers(judged) if one_class or not names else None
  labels = []
  if scores is not None:
    of_several = LABEL_LIST in judged.column_names
    said = judged[LABEL_LIST if of_several else "label"].to_pylist()
    is_true = curves.truth(names, said if of_several else ([each] for each in said))
    labels = curves.of_labels(names, scores[numbers], is_true)
  if answers is None and not labels:
    return None
  return {"split": judged["split"][0].as_py(), "answers": answers, "labels": labels}


def _flips(
  found: pa.Table, previous: Previous, row_of: Callable[[int], dict[str, Any]]
) -> dict[str, Any]:
  """Returns the comparison with the model before: counts, and rows of both ways."""
  before = table.read(previous.predictions, without=["scores"])
  compared = flips.compare(found, before)

  def rows_of(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [
      {**row_of(number), "before": _words(compared.before[number], "{:.6g}".format)}
      for number in numbers
    ]

  better, worse = compared.shown()
  return {
    "run_id": previous.run_id,
    "rows": compared.rows,
    "of": compared.of,
    "relabelled": compared.relabelled,
    "by_loss": compared.by_loss,
    "better": len(compared.better),
    "worse": len(compared.worse),
    "better_rows": rows_of(better),
    "worse_rows": rows_of(worse),
  }


def _suspected(found: pa.Table, scores: np.ndarray) -> tuple[int, int] | None:
  """Returns how many labels contradict the model's scores, and of how many; None if unknown.

  The model has not trained on these rows.
  """
  names = {name: place for place, name in enumerate(table.names_of_scores(found))}
  labels = found["label"].to_pylist()
  known = [number for number, label in enumerate(labels) if label in names]
  if not known:
    return None
  given = np.array([names[labels[number]] for number in known])
  return confident.ranked(given, scores[known]).count, len(known)


def _inputs(directory: pathlib.Path) -> dict[int, str]:
  path = directory / SHOWN_FILE
  if not path.exists():
    return {}
  return {int(number): value for number, value in json.loads(path.read_text("utf-8")).items()}


def _row_maker(
  found: pa.Table,
  inputs: Mapping[int, str],
  reasons: ShownReasons,
  data_path: str,
  *,
  is_text: bool,
) -> Callable[[int], dict[str, Any]]:
  """Returns the function from a row's number to what the report shows of it."""
  measure = (found.schema.metadata or {}).get(MEASURE, b"").decode()
  room = _MOST_SHOWN

  def row_of(number: int) -> dict[str, Any]:
    nonlocal room
    [row] = found.slice(number, 1).to_pylist()
    place = origins.place(row["origin"])
    file = origins.on_disk(data_path, place.file) if row["origin"] else None
    shown = {
      "origin": row["origin"],
      "link": previews.file_uri(file) if file else None,
      "split": row["split"],
      "label": _words(row["label"], shortest),
      "predicted": _words(row["predicted"], "{:.6g}".format),
      # "off" is a distance in the answer's unit, everything else a score.
      ("off" if measure == "off" else "score"): row[measure] if measure else None,
      "why": reasons.of(number),
    }
    if is_text:
      return {**shown, "input": row["input"] or ""}
    if number in inputs:
      uri = previews.uri(base64.b64decode(inputs[number]))
    else:
      uri = previews.of_file(file) if file and place.is_file and room > 0 else None
    drawn = (shown["why"] or {}).get("map") or ""
    uri = uri if uri and len(uri) + len(drawn) <= room else None
    room -= len(uri + drawn) if uri else 0
    return {**shown, "data_uri": uri, "size": previews.size(uri) if uri else None}

  return row_of


def _words(value: Any, of_number: Callable[[float], str]) -> str:
  return of_number(value) if isinstance(value, float) else str(value)
