"""Writes picked rows for people to label, and labelled rows as data for `dlpipe run --data`."""

from __future__ import annotations

import base64
import csv
import datetime
import io
import json
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dlpipe.artifact_files import finite
from dlpipe.errors import BadInputError
from pipeline.batch import input_columns
from pipeline.batch.requests.picking import score_of
from pipeline.batch.requests.reading import LoggedRow
from pipeline.drift.measuring import main_output
from pipeline.problems.labels import SEPARATOR, THRESHOLD
from pipeline.task import Task

ID, CLIENT_ID = "id", "client_id"
_SEPARATORS = (",", ";", "\t")
_ABOUT = ("predicted", "score", "version", "why", "at", CLIENT_ID)
# Formats of files that people can look at, by their first bytes.
_FORMATS = {
  b"\x89PNG": ("png", "image/png"),
  b"\xff\xd8": ("jpg", "image/jpeg"),
  b"GIF8": ("gif", "image/gif"),
  b"BM": ("bmp", "image/bmp"),
}


def places(path: pathlib.Path, task: Task) -> list[pathlib.Path]:
  """Returns what is written for an output: the file, and for a CSV the folder of its pictures."""
  has_files = task.input.kind == "file" and path.suffix == ".csv"
  return [path, *([_files(path)] if has_files else [])]


def write(rows: Sequence[LoggedRow], task: Task, path: pathlib.Path) -> None:
  """Writes rows to label: `.csv` with an empty column for the label, or `.json` for Label Studio.

  Inputs that are files are written to a folder beside a CSV, and into a JSON itself.

  Raises:
    BadInputError: the path ends otherwise, or an input is not the text that the task takes.
  """
  if path.suffix == ".json":
    tasks = [_label_studio(row, task) for row in rows]
    text = json.dumps(finite(tasks), ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8", errors="replace")
  elif path.suffix == ".csv":
    _write_csv([(row, "") for row in rows], task, path)
  else:
    raise BadInputError(
      f"-o takes a file that ends in .csv, or in .json for Label Studio. Received: {path.name!r}"
    )


def write_labelled(rows: Sequence[tuple[LoggedRow, str]], task: Task, path: pathlib.Path) -> None:
  """Writes rows with their labels as a CSV that `dlpipe run --data` reads."""
  _write_csv(rows, task, path)


def read_labels(path: pathlib.Path, column: str, *, several: bool = False) -> dict[str, str]:
  """Returns labels by id, from a CSV with the columns `id` and `column`, or Label Studio's JSON.

  Rows without a label are left out.

  Args:
    path: the file; a CSV may have semicolons or tabs instead of commas.
    column: the column of the labels.
    several: whether a row may have several labels.

  Raises:
    BadInputError: the file is neither, a label has no id, or an id has two labels.
  """
  try:
    text = path.read_text(encoding="utf-8-sig")
  except (OSError, UnicodeDecodeError) as err:
    raise BadInputError(f"{str(path)!r} cannot be read: {err}") from err
  is_export = path.suffix.lower() == ".json"
  found = _of_label_studio(path, text, several) if is_export else _of_table(path, text, column)
  labels: dict[str, str] = {}
  twice: dict[str, str] = {}
  for name, label in found:
    if labels.setdefault(name, label) != label:
      twice[name] = f"{name} ({labels[name]}, {label})"
  if twice:
    raise BadInputError(
      f"{str(path)!r} has two labels for {len(twice):,} ids: {', '.join([*twice.values()][:3])}. "
      "Keep one of them."
    )
  return labels


def _of_table(path: pathlib.Path, text: str, column: str) -> list[tuple[str, str]]:
  def open_with(separator: str) -> csv.DictReader[str]:
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)

  # Spreadsheets write semicolons where the comma is a decimal point.
  tried = [open_with(separator) for separator in _SEPARATORS]
  reader = next((r for r in tried if {ID, column} <= set(r.fieldnames or ())), None)
  if reader is None:
    raise BadInputError(
      f"Expected the columns {ID} and {column} in {str(path)!r}. Found: "
      f"{', '.join(tried[0].fieldnames or ()) or 'none'}. --label-column names another column."
    )
  found = []
  try:
    for row in reader:
      name, label = ((row[key] or "").strip() for key in (ID, column))
      if label and not name:
        raise BadInputError(
          f"{str(path)!r}, line {reader.line_num}: expected an {ID} for the label {label!r}."
        )
      if label:
        found.append((name, label))
  except csv.Error as err:
    raise BadInputError(
      f"{str(path)!r} cannot be read after line {reader.line_num}: {err}"
    ) from err
  return found


def _write_csv(rows: Sequence[tuple[LoggedRow, str]], task: Task, path: pathlib.Path) -> None:
  column = input_columns.role(task)
  files = _files(path)
  with path.open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file)
    writer.writerow([ID, column, task.label_key, *_ABOUT])
    for number, (row, label) in enumerate(rows):
      if task.input.kind == "file":
        files.mkdir(exist_ok=True)
        suffix, _ = _format(row.value or b"")
        name = files / f"{number:06d}.{suffix}"
        name.write_bytes(row.value or b"")
        value = f"{files.name}/{name.name}"
      else:
        value = _text(row)
      writer.writerow([row.id, value, label, *_about(row)])


def _files(path: pathlib.Path) -> pathlib.Path:
  return path.with_name(f"{path.stem}_files")


def _about(row: LoggedRow) -> list[Any]:
  moment = datetime.datetime.fromtimestamp(row.at, datetime.timezone.utc)
  predicted, score = _predicted(row)
  return [predicted, score, row.version, row.why, f"{moment:%Y-%m-%dT%H:%M:%SZ}", row.client_id]


def _predicted(row: LoggedRow) -> tuple[Any, Any]:
  name, score = main_output(row.answer), score_of(row.answer)
  return (row.answer[name] if name is not None else ""), ("" if score is None else score)


def _label_studio(row: LoggedRow, task: Task) -> dict[str, Any]:
  """Returns one task of Label Studio, with the model's answer as a prediction."""
  shown = _data_uri(row.value or b"") if task.input.kind == "file" else _text(row)
  predicted, score = _predicted(row)
  has_classes = task.problem.has_classes
  way, value = ("choices", _choices(row, task)) if has_classes else ("text", [predicted])
  result = {
    "from_name": task.label_key,
    "to_name": task.input.key,
    "type": "choices" if has_classes else "textarea",
    "value": {way: value},
  }
  prediction: dict[str, Any] = {"model_version": str(row.version), "result": [result]}
  if isinstance(score, (int, float)) and math.isfinite(score):
    prediction["score"] = score
  data = {ID: row.id, task.input.key: shown, CLIENT_ID: row.client_id}
  return {"data": data, "predictions": [prediction]}


def _choices(row: LoggedRow, task: Task) -> list[str]:
  """Returns the classes of an answer: one, or those of several that the model chose."""
  if task.problem.has_one_class:
    return [str(_predicted(row)[0])]
  named = zip(row.answer.get("labels") or (), row.answer.get("scores") or (), strict=False)
  return [str(label) for label, score in named if score >= THRESHOLD]


def _require_apart(chosen: Sequence[Any]) -> None:
  """Raises `ValueError` for a label that would be read back as two."""
  holding = next((label for label in map(str, chosen) if SEPARATOR in label), None)
  if holding is not None:
    raise ValueError(f"the label {holding!r} holds {SEPARATOR!r}, which stands between labels")


def _of_label_studio(path: pathlib.Path, text: str, several: bool) -> list[tuple[str, str]]:
  try:
    tasks = json.loads(text)
    found = []
    for task in tasks:
      if "data" not in task:
        raise BadInputError(
          f"Expected Label Studio's export as JSON in {str(path)!r}. Received another one of its "
          f"formats, such as JSON-MIN, in which {ID} is a number of its own: export as JSON."
        )
      for annotation in (task.get("annotations") or [])[-1:]:
        for result in annotation["result"][:1]:
          value = result["value"]
          chosen = value.get("choices") or value["text"]
          _require_apart(chosen if several else ())
          if not several and len(chosen) != 1:
            raise ValueError(f"{len(chosen)} labels of {task['data'][ID]} where one is expected")
          found.append((str(task["data"][ID]), SEPARATOR.join(map(str, chosen))))
  except (ValueError, TypeError, KeyError, AttributeError) as err:
    raise BadInputError(
      f"Expected Label Studio's export as JSON in {str(path)!r}, with data.{ID} of each task. "
      f"Received something else: {type(err).__name__}: {err}"
    ) from err
  return found


def shown_input(value: bytes | None, task: Task) -> dict[str, str | None]:
  """Returns what a page shows of an input: its `text`, or a `picture` as a URI."""
  if value is None:
    return {"text": "", "picture": None}
  if task.input.kind == "text":
    return {"text": value.decode("utf-8", "replace"), "picture": None}
  is_picture = any(value.startswith(magic) for magic in _FORMATS)
  return {"text": f"{len(value):,} bytes", "picture": _data_uri(value) if is_picture else None}


def _data_uri(value: bytes) -> str:
  return f"data:{_format(value)[1]};base64,{base64.b64encode(value).decode()}"


def _text(row: LoggedRow) -> str:
  return (row.value or b"").decode("utf-8", "replace")


def _format(value: bytes) -> tuple[str, str]:
  known = (kind for magic, kind in _FORMATS.items() if value.startswith(magic))
  return next(known, ("bin", "application/octet-stream"))


class Joined(NamedTuple):
  """Logged rows with labels.

  Attributes:
    rows: each with its label; a request that was repeated counts once.
    strangers: the ids that no row with an input has.
    shared: names that callers gave to requests with different inputs: they label none.
  """

  rows: list[tuple[LoggedRow, str]]
  strangers: list[str]
  shared: list[str]


def joined(rows: Iterable[LoggedRow], labels: Mapping[str, str]) -> Joined:
  """Finds the rows that have a label, by their own id or the caller's."""
  found: dict[str, dict[bytes | None, LoggedRow]] = {}
  for row in rows:
    if row.value is not None and (name := named(row, labels)) is not None:
      found.setdefault(name, {}).setdefault(row.value, row)
  alone = {name: [*some.values()] for name, some in found.items() if len(some) == 1}
  return Joined(
    rows=[(row, labels[name]) for name, [row] in alone.items()],
    strangers=sorted(labels.keys() - found.keys()),
    shared=sorted(found.keys() - alone.keys()),
  )


def named(row: LoggedRow, labels: Mapping[str, str]) -> str | None:
  """Returns the name by which a row has a label: its own id, or the caller's; None without one."""
  # One name of the caller's for several rows would be one label for all.
  names = (row.id,) if "/" in row.id else (row.id, row.client_id)
  return next((name for name in names if name and name in labels), None)
