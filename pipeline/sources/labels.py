"""Turns a label, however the input holds it, into the text that names the class."""

from __future__ import annotations

import math
from typing import Any

from pipeline.sources.encoding import UndecodableError, decode


def label_text(value: Any) -> str:
  """The label as text: 3 and 3.0 are "3", a truth value is "true" or "false".

  Raises:
    ValueError: it is empty or no single value; the message is fit for the quarantine.
  """
  if isinstance(value, bytes):
    try:
      value = decode(value)
    except UndecodableError as err:
      raise ValueError(f"the label is {err}") from err
  if isinstance(value, bool):
    return "true" if value else "false"
  if isinstance(value, float):
    # Tables of numbers and missing values hold the numbers as floats, and nan for what is missing.
    value = None if math.isnan(value) else int(value) if value.is_integer() else value
  if value is None or value == "":
    raise ValueError("the label is empty")
  if isinstance(value, (int, float)):
    return str(value)
  if not isinstance(value, str):
    raise ValueError(f"the label is no single value, but a {type(value).__name__}")
  text = value.strip()
  if not text:
    raise ValueError("the label is empty")
  return text
