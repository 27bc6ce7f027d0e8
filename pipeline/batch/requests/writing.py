"""Writes picked rows for people to label, and labelled rows as data for `dlpipe run --data`."""

from __future__ import annotations

import base64
import csv
import datetime
import io
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.batch import input_columns
from pipeline.batch.requests.picking import main_output
from pipeline.batch.requests.reading import LoggedRow
from pipeline.task import Task

ID, CLIENT_ID = "id", "client_id"
_ABOUT = ("predicted", "score", "version", "why", "at", CLIENT_ID)
# Formats of files that people can look at, by their first bytes.
_FORMATS = {
  b"\x89PNG": ("png", "image/png"),
  b"\xff\xd8": ("jpg", "image/jpeg"),
  b"GIF8": ("gif", "image/gif"),
  b"BM": ("bmp", "image/bmp"),
}


def places(path: pathlib.Path, task: Task) -> list[pathlib.Path]:
  """What is written for an output: the file, and beside a CSV the folder of its pictures."""
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
    path.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
  elif path.suffix == ".csv":
    _write_csv([(row, "") for row in rows], task, path)
  else:
    raise BadInputError(
      f"-o takes a file that ends in .csv, or in .json for Label Studio. Received: {path.name!r}"
    )


def write_labelled(rows: Sequence[tuple[LoggedRow, str]], task: Task, path: pathlib.Path) -> None:
  """Writes rows with their labels as a CSV that `dlpipe run --data` reads."""
  _write_csv(rows, task, path)


def read_labels(path: pathlib.Path, column: str) -> dict[str, str]:
  """Labels by id, from a CSV with the columns `id` and `column`, or Label Studio's export as JSON.

  Rows without a label are left out.

  Raises:
    BadInputError: the file is neither.
  """
  try:
    text = path.read_text(encoding="utf-8-sig")
  except (OSError, UnicodeDecodeError) as err:
    raise BadInputError(f"{str(path)!r} cannot be read: {err}") from err
  if path.suffix == ".json":
    return _of_label_studio(path, text)
  reader = csv.DictReader(io.StringIO(text, newline=""))
  missing = {ID, column} - set(reader.fieldnames or ())
  if missing:
    raise BadInputError(
      f"Expected the columns {ID} and {column} in {str(path)!r}. Found: "
      f"{', '.join(reader.fieldnames or ()) or 'none'}. --label-column names another column."
    )
  try:
    return {row[ID]: row[column] for row in reader if row[column]}
  except csv.Error as err:
    raise BadInputError(
      f"{str(path)!r} cannot be read after line {reader.line_num}: {err}"
    ) from err


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
  name = main_output(row.answer)
  return (row.answer[name] if name is not None else ""), row.answer.get("score", "")


def _label_studio(row: LoggedRow, task: Task) -> dict[str, Any]:
  """One task of Label Studio, with the model's answer as a prediction."""
  shown = _data_uri(row.value or b"") if task.input.kind == "file" else _text(row)
  predicted, score = _predicted(row)
  way, value = ("choices", [str(predicted)]) if task.problem.has_classes else ("text", [predicted])
  result = {
    "from_name": task.label_key,
    "to_name": task.input.key,
    "type": "choices" if task.problem.has_classes else "textarea",
    "value": {way: value},
  }
  prediction: dict[str, Any] = {"model_version": str(row.version), "result": [result]}
  if isinstance(score, (int, float)):
    prediction["score"] = score
  data = {ID: row.id, task.input.key: shown, CLIENT_ID: row.client_id}
  return {"data": data, "predictions": [prediction]}


def _of_label_studio(path: pathlib.Path, text: str) -> dict[str, str]:
  try:
    tasks = json.loads(text)
    found = {}
    for task in tasks:
      for annotation in (task.get("annotations") or [])[-1:]:
        for result in annotation["result"][:1]:
          value = result["value"]
          [label] = value.get("choices") or value["text"]
          found[str(task["data"][ID])] = str(label)
  except (ValueError, TypeError, KeyError, AttributeError) as err:
    raise BadInputError(
      f"Expected Label Studio's export as JSON in {str(path)!r}, with data.{ID} of each task. "
      f"Received something else: {type(err).__name__}: {err}"
    ) from err
  return found


def shown_input(value: bytes | None, task: Task) -> dict[str, str | None]:
  """What a page shows of an input: its `text`, or a `picture` as a URI."""
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


def joined(
  rows: Iterable[LoggedRow], labels: Mapping[str, str]
) -> tuple[list[tuple[LoggedRow, str]], list[str]]:
  """The rows that have a label, by their own id or the caller's, and the ids that no row has."""
  found, used = [], set()
  for row in rows:
    # One name of the caller's for several rows would be one label for all.
    names = (row.id,) if "/" in row.id else (row.id, row.client_id)
    for name in names:
      if name and name in labels and row.value is not None:
        found.append((row, labels[name]))
        used.add(name)
        break
  return found, sorted(labels.keys() - used)
