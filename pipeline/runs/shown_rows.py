"""Reads the rows of a run's predictions that the report shows, with their inputs."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlpipe.words import shortest
from pipeline.problems.rows import MEASURE
from pipeline.rows import chosen, table
from pipeline.rows.files import FILE, SHOWN_FILE
from pipeline.suspects import confident

_MOST_SCORES = 20_000_000  # rows times classes; more are not read for a report
# Formats that browsers show, by their first bytes.
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8": "jpeg", b"GIF8": "gif", b"BM": "bmp"}


def shown_rows(
  predictions: pathlib.Path | None, *, input_kind: str, one_class: bool
) -> dict[str, Any]:
  """Returns `pictures`, `texts`, `samples`, `cells` and `suspected` of `ReportData`.

  Args:
    predictions: directory of the `Predictions` artifact; None if the run has none.
    input_kind: `text`, or `file` for inputs of which only pictures can be shown.
    one_class: whether each row has one class of several.
  """
  shown: dict[str, Any] = {
    "pictures": [],
    "texts": [],
    "samples": [],
    "cells": [],
    "suspected": None,
  }
  if predictions is None or not (predictions / FILE).is_file():
    return shown
  found = table.read(predictions, without=["scores"])
  if not found.num_rows:
    return shown
  inputs = _inputs(predictions)
  row_of = _row_maker(found, inputs, is_text=input_kind == "text")
  if chosen.is_sampled(found):
    first, worst = chosen.samples(found)
    shown["samples"] = [{**row_of(each), "worst": each in worst} for each in [*first, *worst]]
    return shown
  if one_class:
    shown["suspected"] = _suspected(predictions, found)
  mistakes = [row_of(number) for number in chosen.mistakes(found)]
  if input_kind == "text":
    shown["texts"] = mistakes
  else:
    shown["pictures"] = [row for row in mistakes if row["data_uri"] or row["origin"]]
  shown["cells"] = [
    {"label": label, "predicted": predicted, "rows": [row_of(number) for number in numbers]}
    for (label, predicted), numbers in chosen.cells(found).items()
  ]
  return shown


def _suspected(directory: pathlib.Path, found: pa.Table) -> tuple[int, int] | None:
  """Returns how many labels contradict the model's scores, and of how many; None if unknown.

  The model has not trained on these rows.
  """
  names = {name: place for place, name in enumerate(table.names_of_scores(found))}
  if found.num_rows * len(names) > _MOST_SCORES:
    return None
  labels = found["label"].to_pylist()
  known = [number for number, label in enumerate(labels) if label in names]
  if not known:
    return None
  column = table.read(directory, without=found.column_names)["scores"]
  scores = pc.list_flatten(column).to_numpy().reshape(found.num_rows, -1)[known]
  given = np.array([names[labels[number]] for number in known])
  return confident.ranked(given, scores).count, len(known)


def _inputs(directory: pathlib.Path) -> dict[int, str]:
  path = directory / SHOWN_FILE
  if not path.exists():
    return {}
  return {int(number): value for number, value in json.loads(path.read_text("utf-8")).items()}


def _row_maker(
  found: pa.Table, inputs: Mapping[int, str], *, is_text: bool
) -> Callable[[int], dict[str, Any]]:
  """Returns the function from a row's number to what the report shows of it."""
  measure = (found.schema.metadata or {}).get(MEASURE, b"").decode()

  def row_of(number: int) -> dict[str, Any]:
    [row] = found.slice(number, 1).to_pylist()
    shown = {
      "origin": row["origin"],
      "split": row["split"],
      "label": _words(row["label"], shortest),
      "predicted": _words(row["predicted"], "{:.6g}".format),
      # "off" is a distance in the answer's unit, everything else a score.
      ("off" if measure == "off" else "score"): row[measure] if measure else None,
    }
    encoded = inputs.get(number, "")
    if is_text:
      return {**shown, "input": row["input"] or ""}
    return {**shown, "data_uri": _picture(encoded)}

  return row_of


def _words(value: Any, of_number: Callable[[float], str]) -> str:
  return of_number(value) if isinstance(value, float) else str(value)


def _picture(encoded: str) -> str | None:
  """Returns a picture as a URI for a page; None if browsers do not show it."""
  head = base64.b64decode(encoded[:16]) if encoded else b""
  for magic, kind in _PICTURES.items():
    if head.startswith(magic):
      return f"data:image/{kind};base64,{encoded}"
  return None
