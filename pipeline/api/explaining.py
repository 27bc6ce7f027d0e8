"""Explanations as Python values: what the signature `explain` gives for a row, without padding."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dlpipe.errors import BadInputError

EXPLAIN = "explain"
MAP_PNG = "map_png_bytes"
# An output of names, and those that have a number for each name, by axis.
_BY_NAME = {
  "tokens": (("contributions", 0),),
  "terms": (("term_contributions", 0),),
  "source_tokens": (("alignment", 1),),
  "target_tokens": (("alignment", 0),),
}


def require_explain(signatures: Collection[str], where: str) -> None:
  """Checks that a model has the signature.

  Args:
    signatures: names of its signatures.
    where: what to call the model in the message.

  Raises:
    BadInputError: it has none.
  """
  if EXPLAIN not in signatures:
    raise BadInputError(
      f"{where} has no signature {EXPLAIN!r}, so it cannot say why: it was exported before there "
      "was one, or its network offers no way, which its run told. `dlpipe run` exports a new one."
    )


def trimmed(outputs: Mapping[str, Any]) -> dict[str, Any]:
  """Cuts the outputs of one row to its own length.

  >>> trimmed({"tokens": ["good", ""], "contributions": [0.5, 0.0], "explained": 0.5})
  {'tokens': ['good'], 'contributions': [0.5], 'explained': 0.5}

  Args:
    outputs: output name to value, padded as long as the batch needed.
  """
  found = dict(outputs)
  for names, numbers in _BY_NAME.items():
    if names not in found:
      continue
    size = len(found[names])
    while size and not found[names][size - 1]:
      size -= 1
    found[names] = found[names][:size]
    for name, axis in numbers:
      if name in found:
        rows = found[name]
        found[name] = [row[:size] for row in rows] if axis else rows[:size]
  return found
