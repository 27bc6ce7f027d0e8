"""Reads the rows that training left for people, as the report shows them."""

from __future__ import annotations

import base64
import json
import pathlib
from typing import Any

from pipeline.problem import MISTAKES_FILE, SAMPLES_FILE

# Formats that browsers show, by their first bytes.
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8": "jpeg", b"GIF8": "gif", b"BM": "bmp"}


def shown_rows(model_run: pathlib.Path | None, *, input_kind: str) -> dict[str, Any]:
  """The fields `pictures`, `texts` and `samples` of `ReportData`.

  Args:
    model_run: the Trainer's artifact; None if it did not run.
    input_kind: `text`, or `file` for inputs of which only pictures can be shown.
  """
  mistakes = _read(model_run, MISTAKES_FILE)
  is_text = input_kind == "text"
  return {
    "pictures": [] if is_text else _pictures(mistakes),
    "texts": _texts(mistakes) if is_text else [],
    "samples": _read(model_run, SAMPLES_FILE),
  }


def _read(directory: pathlib.Path | None, name: str) -> list[dict[str, Any]]:
  if directory is None or not (directory / name).exists():
    return []
  return json.loads((directory / name).read_text(encoding="utf-8"))


def _pictures(mistakes: list[dict[str, Any]]) -> list[dict[str, Any]]:
  found = []
  for row in mistakes:
    encoded = row["input"]
    head = base64.b64decode(encoded[:16]) if encoded else b""
    kinds = [kind for magic, kind in _PICTURES.items() if head.startswith(magic)]
    if kinds:
      shown = {name: value for name, value in row.items() if name != "input"}
      found.append({**shown, "data_uri": f"data:image/{kinds[0]};base64,{encoded}"})
  return found


def _texts(mistakes: list[dict[str, Any]]) -> list[dict[str, Any]]:
  return [
    {**row, "input": base64.b64decode(row["input"]).decode("utf-8", "replace")}
    for row in mistakes
    if row["input"] is not None
  ]
