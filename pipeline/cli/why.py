"""What `dlpipe predict --why` shows of an explanation, at 80 columns, and the maps it draws."""

from __future__ import annotations

import itertools
import pathlib
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import DlpipeError
from dlpipe.words import one_line
from pipeline.api.asking import Answer, Input
from pipeline.explanations.values import MAP_PNG, attended, by_word, short_word
from pipeline.sources.input_paths import MAP_SUFFIX

MAP_FILE = "map_file"
_WIDTH = 76  # 80 columns, less the indent
_WORDS, _PHRASES = 12, 6  # shown, the strongest first
_LEAST = 0.01  # of the strongest part; less is not shown
_OF_SUM = frozenset({"explained", "intercept", "unexplained", "label", "map"})
_UNBROKEN = "\u00a0"


def explained(
  asked: Sequence[Input],
  answered: Sequence[Mapping[str, Any]],
  explanations: Callable[[list[bytes]], list[Answer]],
) -> list[dict[str, Any] | None]:
  """Returns the explanation of each input; None of one without an answer. Draws maps into files.

  Args:
    asked: the inputs.
    answered: their rows, with `error` in those that have no answer.
    explanations: returns the model's explanations of values.

  Raises:
    DlpipeError: a map cannot be written.
  """
  places = [place for place, row in enumerate(answered) if "error" not in row]
  values = [value for place in places if (value := asked[place].value) is not None]
  found: list[dict[str, Any] | None] = [None] * len(asked)
  used: set[str] = set()
  for place, answer in zip(places, explanations(values), strict=True):
    reason: dict[str, Any] = {"error": answer} if isinstance(answer, str) else dict(answer)
    if png := reason.pop(MAP_PNG, None):
      name = _free_name(pathlib.PurePath(asked[place].shown).stem or "map", used)
      reason[MAP_FILE] = _written(f"{name}{MAP_SUFFIX}", png)
    found[place] = reason
  return found


def _free_name(stem: str, used: set[str]) -> str:
  """Returns a name that no other map has, and notes it; many systems take a and A for the same."""
  names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
  name = next(each for each in names if each.casefold() not in used)
  used.add(name.casefold())
  return name


def why_lines(reason: Mapping[str, Any]) -> list[str]:
  """Returns the lines for a person.

  >>> print(*why_lines({"tokens": ["fine", "but", "dull"], "contributions": [0.9, 0, -0.25],
  ...   "explained": 0.75, "intercept": 0.125, "unexplained": 0.0, "label": "pos"}), sep="\\n")
  why pos: 0.750, of which words 0.650 and the start 0.125
  for:     fine +0.900
  against: dull -0.250

  Args:
    reason: one of the results of `explained`.
  """
  if "error" in reason:
    return [f"no explanation: {one_line(reason['error'])}"]
  lines = []
  if "explained" in reason:
    lines += textwrap.wrap(_sum(reason), _WIDTH, subsequent_indent="  ")
  if "tokens" in reason:
    lines += _words(reason)
  if "alignment" in reason:
    lines += _aligned(reason)
  if MAP_FILE in reason:
    rows = reason.get("map")
    size = f" of {len(rows)} x {len(rows[0])} places" if rows else ""
    lines.append(f"map{size}, red for it: {reason[MAP_FILE]}")
  if not reason.keys() & {"tokens", "alignment", MAP_FILE}:  # of a way of the task's own
    parts = sorted(reason.keys() - _OF_SUM)
    lines += [f"--json has the parts: {', '.join(parts)}"] if parts else []
  return lines


def _sum(reason: Mapping[str, Any]) -> str:
  label = f" {one_line(reason['label'])}" if "label" in reason else ""
  explained, unexplained = reason["explained"], reason.get("unexplained", 0.0)
  said = []
  if "tokens" in reason:
    said.append(f"words {sum(reason['contributions']):.3f}")
  elif "map" in reason:
    said.append(f"places {sum(map(sum, reason['map'])):.3f}")
  if "intercept" in reason:
    said.append(f"the start {reason['intercept']:.3f}")
  if abs(unexplained) >= 0.001 * max(1, abs(explained)):
    said.append(f"unexplained {unexplained:.3f}")
  *first, last = said or [""]
  parts = f", of which {', '.join(first)} and {last}" if first else f", of which {last}"
  return f"why{label}: {explained:.3f}{parts if said else ''}"


def _words(reason: Mapping[str, Any]) -> Iterator[str]:
  words = by_word(reason["tokens"], reason["contributions"])
  terms = zip(reason.get("terms", ()), reason.get("term_contributions", ()), strict=True)
  phrases = {term: part for term, part in terms if " " in term}
  for title, parts, count, sign in (
    ("for:", words, _WORDS, 1),
    ("against:", words, _WORDS, -1),
    ("phrases:", phrases.items(), _PHRASES, 0),
  ):
    said = _strongest(parts, count, sign)
    if said:
      # A part stays on the line of its word.
      joined = ", ".join(each.replace(" ", _UNBROKEN) for each in said)
      wrapped = textwrap.wrap(f"{title:9}{joined}", _WIDTH, subsequent_indent=" " * 9)
      yield from (line.replace(_UNBROKEN, " ") for line in wrapped)


def _strongest(parts: Iterable[tuple[str, float]], count: int, sign: int) -> list[str]:
  ranked = sorted(parts, key=lambda each: -abs(each[1]))
  if not ranked:
    return []
  least = _LEAST * abs(ranked[0][1])
  chosen = [(word, part) for word, part in ranked if part and abs(part) >= least]
  chosen = [(word, part) for word, part in chosen if not sign or part * sign > 0]
  return [f"{_quoted(short_word(word))} {part:+.3f}" for word, part in chosen[:count]]


def _quoted(word: str) -> str:
  """Puts marks into quotes: a comma would be taken for one of ours."""
  return word if all(c.isalnum() or c in " '" for c in word) else f'"{word}"'


def _aligned(reason: Mapping[str, Any]) -> list[str]:
  sources = [short_word(word) for word in reason["source_tokens"]]
  targets = [short_word(word) for word in reason["target_tokens"]]
  width = max(map(len, targets), default=0)
  lines = []
  for word, shares in zip(targets, reason["alignment"], strict=True):
    said = [f"{source} {share:.2f}" for source, share in attended(shares, sources)]
    lines.append(f"{word:{width}} <- {', '.join(said) or 'no word in particular'}"[:_WIDTH])
  return lines


def _written(name: str, png: bytes) -> str:
  try:
    pathlib.Path(name).write_bytes(png)
  except OSError as err:
    raise DlpipeError(
      f"Cannot write the map {name!r} into {str(pathlib.Path.cwd())!r}: {err.strerror}. Call "
      "`dlpipe predict --why` in a folder that you may write to."
    ) from err
  return name
