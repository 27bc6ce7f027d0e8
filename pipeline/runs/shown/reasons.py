"""What a report shows of why the model answered a row: a map, words, or an alignment."""

from __future__ import annotations

import base64
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.explanations.values import attended, short_word
from pipeline.rows.reasons import Reasons

_RED, _BLUE = (214, 30, 30), (30, 90, 230)  # as `pipeline.explanations.heat` draws them
_MOST_COLOUR = 0.7
_FOR, _AGAINST = 6, 3  # words shown
_LEAST = 0.05  # of the strongest part; less is not shown
_DOWN, _ACROSS = ("top", "middle", "bottom"), ("left", "centre", "right")
_BEFORE_REASONS = (
  "The predictions of this run were written before reports gave reasons. "
  "`dlpipe predict --why` gives those of single inputs."
)


class ShownReasons:
  """The reasons in a `Predictions` artifact, as a report shows them."""

  def __init__(self, directory: pathlib.Path):
    """Reads them; a directory of an earlier release has none."""
    self._found = Reasons.read(directory) or Reasons(missing=_BEFORE_REASONS)

  def about(self) -> dict[str, Any]:
    """Returns what holds for all: `kind` of the reasons or None; `missing`, `failed`, `failure`.

    `kind` is `map`, `words` or `alignment`; `of_number` says whether answers are numbers.
    """
    some = next(iter(self._found.reasons.values()), None)
    kinds = [kind for kind in ("map", "words", "alignment") if some and kind in some]
    return {
      "kind": kinds[0] if kinds else None,
      "of_number": some is not None and "explained" in some and "label" not in some,
      "explained": len(self._found.reasons),
      "missing": self._found.missing,
      "failed": self._found.failed,
      "failure": self._found.failure,
    }

  def of(self, number: int) -> dict[str, Any] | None:
    """Returns the reason for a row; None if it has none.

    Returns:
      `label` and `explained` as the artifact has them, or None; and one of `map`, a picture's
      address, with `map_says`, its content in words; `speaks_for` and `speaks_against`, both
      [{word, part, share}], the share of the strongest part; and `aligned`, [{word, to}], with the
      words of the input `to` which it attends, likewise.
    """
    reason = self._found.reasons.get(number)
    if reason is None:
      return None
    shown = {"label": reason.get("label"), "explained": reason.get("explained")}
    if "map" in reason:
      return {**shown, "map": _drawn(reason["map"]), "map_says": _place(reason["map"])}
    if "words" in reason:
      return {**shown, **_words(reason["words"])}
    return {**shown, "aligned": _aligned(reason)}


def _drawn(values: Sequence[Sequence[float]]) -> str:
  """Draws a map as a small picture to lay over another: red is for the answer, blue against it."""
  from PIL import Image

  places = np.array(values, np.float64)
  strength = places / (np.abs(places).max() or 1)
  colours = np.where(strength[..., np.newaxis] > 0, _RED, _BLUE)
  alpha = np.round(255 * _MOST_COLOUR * np.abs(strength))
  pixels = np.concatenate([colours, alpha[..., np.newaxis]], axis=-1).astype(np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "PNG", optimize=True)
  return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _place(values: Sequence[Sequence[float]]) -> str:
  """Says in words where a map is strongest for the answer."""
  places = np.array(values, np.float64)
  if places.max() <= 0:
    return "nothing speaks for it"
  row, column = np.unravel_index(places.argmax(), places.shape)
  down = _DOWN[3 * int(row) // places.shape[0]]
  return f"most at the {down} {_ACROSS[3 * int(column) // places.shape[1]]}"


def _words(parts: Sequence[tuple[str, float]]) -> dict[str, list[dict[str, Any]]]:
  strongest = abs(parts[0][1]) if parts else 0
  seen = [(word, part) for word, part in parts if part and abs(part) >= _LEAST * strongest]
  return {
    name: [
      {"word": short_word(word), "part": part, "share": abs(part) / strongest}
      for word, part in seen
      if sign * part > 0
    ][:most]
    for name, sign, most in (("speaks_for", 1, _FOR), ("speaks_against", -1, _AGAINST))
  }


def _aligned(reason: Mapping[str, Any]) -> list[dict[str, Any]]:
  sources = [short_word(word) for word in reason["source_tokens"]]
  return [
    {
      "word": short_word(word),
      "to": [
        {"word": source, "part": share, "share": share} for source, share in attended(row, sources)
      ],
    }
    for word, row in zip(reason["target_tokens"], reason["alignment"], strict=True)
  ]
