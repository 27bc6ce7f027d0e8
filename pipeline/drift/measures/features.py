"""The features that are measured: their names, the edges of their histograms, how they are said.

The order is that of causes: of two features that changed about as much, the first is named first. A
darker picture also has other bytes a pixel; a text in another language has unknown words.
"""

from __future__ import annotations

import dataclasses
import math

from dlpipe import words

LABEL_MIX, LABEL_VALUE, LABEL_LENGTH = "label mix", "label value", "label length"
SCRIPT, LANGUAGE = "script", "language"
WORDS, CHARACTERS = "length in words", "length in characters"
UNKNOWN, CHOICE = "unknown words", "word choice"
FORMAT, COLOURS, WIDTH, HEIGHT = "format", "colours", "width", "height"
SATURATION, BRIGHTNESS, CONTRAST = "saturation", "brightness", "contrast"
SHARPNESS, WARMTH, COMPRESSION = "sharpness", "warmth", "bytes per pixel"
UNREADABLE = "unreadable"
ANSWER_MIX, ANSWER_VALUE, ANSWER_LENGTH = "answer mix", "answer value", "answer length"
SCORE, NO_NUMBER = "score", "answers that are no number"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Feature:
  """One measure of a row.

  Attributes:
    name: its name, also in files.
    edges: between the bins of its histogram; empty if its values are names.
    is_closed: whether a name that never occurred, or no longer does, is a change whatever its
      share.
    is_share: whether a person reads it in percent.
    by_mean: whether its mean is said rather than its median.
    is_answer: whether it is measured on the answers of a model.
  """

  name: str
  edges: tuple[float, ...] = ()
  is_closed: bool = False
  is_share: bool = False
  by_mean: bool = False
  is_answer: bool = False

  def said(self, value: float) -> str:
    """Returns a value for a person."""
    return percent(value) if self.is_share else words.number(value)


def percent(share: float) -> str:
  """Returns a share in percent.

  >>> percent(0.314), percent(0.004), percent(0)
  ('31 %', '0.4 %', '0 %')
  """
  value = 100 * share
  return f"{value:.0f} %" if value >= 9.95 or value < 0.05 else f"{value:.1f} %".replace(".0 ", " ")


def _steps(low: float, high: float, step: float) -> tuple[float, ...]:
  count = round((high - low) / step)
  return tuple(round(low + number * step, 6) for number in range(count + 1))


def _octaves(low: float, high: float, per_octave: int) -> tuple[float, ...]:
  count = round(math.log2(high / low) * per_octave)
  return tuple(round(low * 2 ** (number / per_octave), 6) for number in range(count + 1))


_PER_DECADE = 32
_POSITIVE = tuple(
  float(f"{10 ** (number / _PER_DECADE):.6g}")
  for number in range(-6 * _PER_DECADE, 9 * _PER_DECADE + 1)
)
_ANY_NUMBER = (*(-edge for edge in reversed(_POSITIVE)), *_POSITIVE)
_COUNTS = _octaves(0.75, 200_000, 3)
_PIXELS = _octaves(1, 65_536, 4)
# Scores are shares, or logarithms of one.
_SCORES = (-8.0, -4.0, -3.0, -2.5, *_steps(-2, 0, 0.125), *_steps(0.05, 1, 0.05))

_ALL = (
  Feature(name=UNREADABLE, edges=(0.5,), is_share=True, by_mean=True),
  Feature(name=LABEL_MIX, is_closed=True),
  Feature(name=LABEL_VALUE, edges=_ANY_NUMBER),
  Feature(name=LABEL_LENGTH, edges=_COUNTS),
  Feature(name=FORMAT, is_closed=True),
  Feature(name=COLOURS, is_closed=True),
  Feature(name=WIDTH, edges=_PIXELS),
  Feature(name=HEIGHT, edges=_PIXELS),
  Feature(
    name=WARMTH, edges=(*_steps(-1, -0.1, 0.1), -0.05, -0.02, 0.02, 0.05, *_steps(0.1, 1, 0.1))
  ),
  Feature(name=SATURATION, edges=(0.005, 0.02, *_steps(0.05, 0.95, 0.05))),
  Feature(name=BRIGHTNESS, edges=_steps(0.05, 0.95, 0.05)),
  Feature(name=CONTRAST, edges=_octaves(0.05, 6.4, 4)),
  Feature(name=SHARPNESS, edges=_octaves(0.01, 10.24, 4)),
  Feature(name=COMPRESSION, edges=_octaves(1 / 64, 16, 4)),
  Feature(name=SCRIPT, is_closed=True),
  Feature(name=LANGUAGE),
  Feature(name=WORDS, edges=_COUNTS),
  Feature(name=CHARACTERS, edges=_COUNTS),
  Feature(name=UNKNOWN, edges=_steps(0.025, 0.975, 0.05), is_share=True, by_mean=True),
  Feature(name=CHOICE),
  Feature(name=NO_NUMBER, edges=(0.5,), is_share=True, by_mean=True, is_answer=True),
  Feature(name=ANSWER_MIX, is_closed=True, is_answer=True),
  Feature(name=SCORE, edges=_SCORES, is_answer=True),
  Feature(name=ANSWER_VALUE, edges=_ANY_NUMBER, is_answer=True),
  Feature(name=ANSWER_LENGTH, edges=_COUNTS, is_answer=True),
)
FEATURES = {feature.name: feature for feature in _ALL}
PLACES = {name: place for place, name in enumerate(FEATURES)}
