"""Finds inputs that look odd among the others: by fixed bounds, and far from what is usual here.

A bound alone would call a data set of X-rays dark, so a rule holds only where most inputs differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.checks.looks import measuring

SHOWN = 12
_DARK, _BRIGHT = 30.0, 225.0  # mean grey of 255
_FLAT = 8.0  # grey levels between the darkest and the brightest
_BLURRED = 0.35  # of the usual sharpness
_TINY = 0.25  # of the usual shorter side
_LONGISH = 2.0  # times as long as the usual shape
_MOSTLY = 0.9  # of the inputs have the usual script
_STRANGE = 0.25  # of the usual part of frequent words
_USUAL_WORDS = 0.2  # below it, frequent words tell no language


@dataclasses.dataclass(frozen=True, kw_only=True)
class Odd:
  """A way to be odd, and the inputs that are.

  Attributes:
    name: identifier for programs.
    what: what they are, after their number.
    why: the rule, as a sentence.
    rows: all their numbers, the oddest first.
    values: what was measured of each, in words.
  """

  name: str
  what: str
  why: str
  rows: np.ndarray
  values: list[str]


def odd_inputs(
  rows: np.ndarray,
  lengths: Mapping[str, np.ndarray],
  looks: Mapping[str, np.ndarray],
  scripts: np.ndarray,
) -> list[Odd]:
  """Returns what is odd; ways without an input are left out.

  Args:
    rows: `[inputs]` the number of each input that could be measured.
    lengths: `[inputs]` by measure, as `Description.lengths`.
    looks: `[inputs]` by measure, as `Description.looks`, and `familiar`.
    scripts: `[inputs]` str.
  """
  if not len(rows):
    return []
  found: list[Odd] = []
  if measuring.BRIGHTNESS in looks:
    found += _light(rows, looks)
  if {"width", "height"} <= set(lengths):
    found += _shapes(rows, lengths["width"], lengths["height"])
  if "characters" in lengths:
    found += _lengths(rows, lengths["characters"])
  found += _scripts(rows, scripts)
  if "familiar" in looks:
    found += _strange(rows, looks["familiar"])
  return [each for each in found if len(each.rows)]


def _light(rows: np.ndarray, looks: Mapping[str, np.ndarray]) -> Iterator[Odd]:
  brightness, contrast = looks[measuring.BRIGHTNESS], looks[measuring.CONTRAST]
  sharpness = looks[measuring.SHARPNESS]
  usual = float(np.median(brightness))
  flat = contrast < _FLAT
  if np.median(contrast) >= 2 * _FLAT:
    yield _chosen(
      "flat",
      "of nearly one colour",
      f"Their grey levels differ by less than {_FLAT:g} of 255.",
      rows,
      flat,
      contrast,
      "contrast {:.0f}",
    )
  if usual >= 2 * _DARK:
    why = f"The mean grey is below {_DARK:g} of 255, and usually {usual:.0f}."
    is_dark = (brightness < _DARK) & ~flat
    yield _chosen("dark", "dark", why, rows, is_dark, brightness, "brightness {:.0f}")
  if usual <= 255 - 2 * (255 - _BRIGHT):
    why = f"The mean grey is above {_BRIGHT:g} of 255, and usually {usual:.0f}."
    is_bright = (brightness > _BRIGHT) & ~flat
    yield _chosen("bright", "bright", why, rows, is_bright, -brightness, "brightness {:.0f}")
  known = (sharpness != measuring.UNKNOWN) & ~flat
  if known.any():
    usual = float(np.median(sharpness[known]))
    why = f"No edge is sharper than {_BLURRED:.0%} of what is usual."
    is_blurred = known & (sharpness < _BLURRED * usual)
    yield _chosen("blurred", "blurred", why, rows, is_blurred, sharpness, "sharpness {:.2f}")


def _shapes(rows: np.ndarray, width: np.ndarray, height: np.ndarray) -> Iterator[Odd]:
  side = np.minimum(width, height)
  usual = float(np.median(side))
  why = f"The shorter side is below a quarter of the usual {usual:.0f} pixels."
  yield _chosen("tiny", "tiny", why, rows, side < _TINY * usual, side, "{:.0f} pixels")
  shape = width / np.maximum(height, 1)
  usual = float(np.median(shape))
  apart = np.abs(np.log(np.maximum(shape, 1e-6) / usual))
  why = f"Width by height is over {_LONGISH:g} times from the usual {usual:.2f}."
  is_odd = apart > np.log(_LONGISH)
  odd = _chosen("shape", "of an odd shape", why, rows, is_odd, -apart, "")
  places = np.searchsorted(rows, odd.rows)
  values = [f"{w:.0f} x {h:.0f}" for w, h in zip(width[places], height[places], strict=True)]
  yield dataclasses.replace(odd, values=values)


def _lengths(rows: np.ndarray, characters: np.ndarray) -> Iterator[Odd]:
  if characters.min() == characters.max():
    return
  everything = np.ones(len(rows), bool)
  for name, what, by in (
    ("longest", "longest", -characters),
    ("shortest", "shortest", characters),
  ):
    most = _chosen(name, what, "", rows, everything, by, "{:,.0f} characters")
    yield dataclasses.replace(most, rows=most.rows[:SHOWN], values=most.values[:SHOWN])


def _scripts(rows: np.ndarray, scripts: np.ndarray) -> Iterator[Odd]:
  lettered = scripts != ""
  if not lettered.any():
    return
  names, counts = np.unique(scripts[lettered], return_counts=True)
  usual = str(names[counts.argmax()])
  if counts.max() < _MOSTLY * lettered.sum():
    return
  is_other = lettered & (scripts != usual)
  chosen = np.flatnonzero(is_other)
  yield Odd(
    name="script",
    what="in another script",
    why=f"Most of their letters are not {usual.title()}.",
    rows=rows[chosen],
    values=[str(scripts[place]).title() for place in chosen],
  )


def _strange(rows: np.ndarray, familiar: np.ndarray) -> Iterator[Odd]:
  known = familiar != measuring.UNKNOWN
  usual = float(np.median(familiar[known])) if known.any() else 0.0
  if usual < _USUAL_WORDS:
    return
  why = (
    f"Of their words, less than {_STRANGE * usual:.0%} are among the hundred that most texts here "
    f"have; usually {usual:.0%}. Often another language, a list or code."
  )
  is_strange = known & (familiar < _STRANGE * usual)
  yield _chosen("strange", "with hardly a usual word", why, rows, is_strange, familiar, "{:.0%}")


def _chosen(
  name: str,
  what: str,
  why: str,
  rows: np.ndarray,
  mask: np.ndarray,
  by: np.ndarray,
  form: str,
) -> Odd:
  """Returns the inputs of a mask in the order of `by`, whose amount is the value that is shown."""
  places = np.flatnonzero(mask)
  places = places[np.argsort(by[places], kind="stable")]
  values = [form.format(abs(by[place])) for place in places[:SHOWN]]
  return Odd(name=name, what=what, why=why, rows=rows[places], values=values)
