"""Finds the columns of sentence and translation in tab-separated lines, by a sample.

These are the first two columns, unless they do not hold sentences: Tatoeba's "Sentence pairs" have
id, sentence, id, translation; other files have language codes in between, or an id in front.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError
from pipeline.sources.class_counts import names
from pipeline.tasks.translation.sources import sides

_CODE_LETTERS = 3
# Names of columns in a first line, in lower case.
_HEADER_WORDS = frozenset(
  {
    *("source", "target", "src", "tgt", "trg", "sentence", "translation", "text", "input"),
    *("output", "original", "translated", "language", "english", "french", "german", "spanish"),
    *("italian", "portuguese", "dutch", "russian", "polish", "czech", "turkish", "greek"),
    *("swedish", "danish", "norwegian", "finnish", "hungarian", "romanian", "bulgarian"),
    *("ukrainian", "hebrew", "arabic", "persian", "hindi", "bengali", "urdu", "tamil", "thai"),
    *("vietnamese", "indonesian", "malay", "japanese", "korean", "chinese", "mandarin", "latin"),
    *("esperanto", "en", "fr", "de", "es", "it", "pt", "nl", "ru", "pl", "cs", "tr", "ar", "hi"),
    *("ja", "ko", "zh", "vi", "id", "uk", "sv", "eng", "fra", "fre", "deu", "ger", "spa", "ita"),
    *("por", "nld", "rus", "pol", "ces", "tur", "ara", "hin", "jpn", "kor", "zho", "cmn"),
  }
)


class Columns(NamedTuple):
  """The columns of source and target, counted from 0.

  Attributes:
    source: the column of sentences.
    target: the column of translations.
    header: the first line if it names the columns and is not a pair; else empty.
    others: a description of the other columns.
  """

  source: int
  target: int
  header: tuple[str, ...]
  others: tuple[str, ...]


def choose(
  first: str, rows: Sequence[Sequence[str]], options: Mapping[str, Any], *, file: str
) -> Columns:
  """Chooses the columns of sentence and translation.

  Args:
    first: the first line.
    rows: the fields of a sample of the other lines; lines without a tab are left out.
    options: `source_column` and `target_column` are numbers from 1, or None.
    file: the file, for messages.

  Raises:
    BadInputError: the options do not give two columns, or the guess is uncertain.
  """
  head = [field.strip() for field in first.split("\t")]
  if not rows:  # a single line allows no guess
    rows = [head]
  width = collections.Counter(map(len, rows)).most_common(1)[0][0]
  told = _told(options, file)
  if told and max(told) >= max(map(len, rows)):
    raise BadInputError(
      f"Expected at least {max(told) + 1} columns in {file!r}, as data.source_column and "
      f"data.target_column say. The lines have {width}."
    )
  faults = [sides.fault([row[i] for row in rows if i < len(row)]) for i in range(width)]
  source, target = told or _guess(faults, rows, file)
  header = tuple(head) if _is_header(head, rows, faults, source, target) else ()
  others = tuple(
    f"column {i + 1}{f' of {found}' if found else ''}"
    for i, found in enumerate(faults)
    if i not in (source, target)
  )
  return Columns(source, target, header, others)


def _told(options: Mapping[str, Any], file: str) -> tuple[int, int] | None:
  values = [options.get("source_column"), options.get("target_column")]
  if values == [None, None]:
    return None
  numbers: list[int] = []
  for option, value in zip(("source_column", "target_column"), values, strict=True):
    number = int(value) if isinstance(value, str) and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
      raise BadInputError(
        f"{file!r} is read as lines of source<TAB>target, whose columns have numbers: both "
        f"data.source_column and data.target_column must be numbers from 1. Received: "
        f"{option}={value!r}. If the first line names the columns, add --set data.source=table"
      )
    numbers.append(number - 1)
  source, target = numbers
  if source == target:
    raise BadInputError(
      f"Expected two columns. Both data.source_column and data.target_column are {source + 1}."
    )
  return source, target


def _guess(
  faults: Sequence[str | None], rows: Sequence[Sequence[str]], file: str
) -> tuple[int, int]:
  """Guesses the columns: the first two, or the only two with sentences.

  Raises:
    BadInputError: fewer or more than two columns hold sentences.
  """
  texts = [i for i, found in enumerate(faults) if found is None]
  if texts[:2] == [0, 1]:
    return 0, 1
  follow = len(texts) > 1 and all(i and faults[i - 1] for i in texts[:2])
  if len(texts) == 2 or follow:
    return texts[0], texts[1]
  shown = "; ".join(
    f"column {i + 1} {f'holds {found}' if found else 'such as ' + names(_example(rows, i))}"
    for i, found in enumerate(faults)
  )
  if len(texts) < 2:
    asked = (texts[0] + 1 if texts else 1, 2 if texts != [1] else 1)
    what = "Give a file with two columns of sentences, or say which to take all the same"
  else:
    asked = (texts[0] + 1, texts[1] + 1)
    what = "Say which to take"
  raise BadInputError(
    f"Expected two columns of sentences in {file!r}. Found: {shown}. {what}, such as with --set "
    f"data.source_column={asked[0]} --set data.target_column={asked[1]}"
  )


def _example(rows: Sequence[Sequence[str]], column: int) -> list[str]:
  return [row[column] for row in rows if column < len(row)][:1]


def _names_a_column(field: str) -> bool:
  """Returns whether a field has only words of headers: `English`, `source_text`, `Sentence 2`."""
  words = re.findall(r"[^\W\d_]+", field.lower())
  return bool(words) and set(words) <= _HEADER_WORDS


def _is_header(
  head: Sequence[str],
  rows: Sequence[Sequence[str]],
  faults: Sequence[str | None],
  source: int,
  target: int,
) -> bool:
  """Returns whether the first line names both columns, or has a word above a column of numbers."""
  if max(source, target) >= len(head):
    return False
  if all(_names_a_column(head[i]) for i in (source, target)):
    # In a dictionary, "it" and "es" may be a pair of words instead of language codes.
    words = [len(row[i].split()) for row in rows for i in (source, target) if i < len(row)]
    return len(head[source]) > _CODE_LETTERS or sum(words) >= 2 * len(words)
  return any(
    found == "numbers" and field and not any(c.isdigit() for c in field)
    for field, found in zip(head, faults, strict=False)
  )
