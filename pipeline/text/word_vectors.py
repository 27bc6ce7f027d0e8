"""Reads pre-trained word vectors of one vocabulary, in the text format of GloVe and fastText.

A line holds a word and its numbers, separated by single spaces. fastText writes a header of two
numbers, the count of words and the dimension; GloVe has none. A name that ends with .gz is
decompressed. A file may be far larger than memory: only the rows of the vocabulary are kept.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pathlib
import unicodedata
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from dlpipe.errors import BadInputError

_CHUNK = 1 << 20
_FORMAT = "one word and its numbers a line, separated by single spaces, as GloVe and fastText write"


def dimension(path: pathlib.Path) -> int:
  """Returns the dimension of the vectors, from the file's first lines.

  Raises:
    BadInputError: the file cannot be read, or its first lines are not word vectors.
  """
  lines = _lines(path)
  first = next(lines, (1, b""))[1]
  declared = _header(first)
  number, line = (1, first) if declared is None else next(lines, (2, b""))
  found = line.count(b" ")
  try:
    values = np.array(line.split(b" ")[1:], "float32")
  except ValueError:
    values = np.zeros(0)
  if not len(values) or (declared is not None and declared != found):
    expected = _FORMAT if declared is None else f"{declared} numbers, as line 1 says"
    raise BadInputError(
      f"model.embeddings: line {number} of {str(path)!r} holds no word vector. Expected {expected}."
    )
  return found


def read(path: pathlib.Path, words: Sequence[bytes], units: int) -> tuple[np.ndarray, np.ndarray]:
  """Reads the vectors of some words; if a word has several lines, the first one counts.

  Args:
    path: the file.
    words: the vocabulary, UTF-8 in normal form C; the file may use another form.
    units: the dimension that every line must have.

  Returns:
    `[words, units]` float32, 0 for words that the file lacks, and `[words]` bool, whether the file
    has each word.

  Raises:
    BadInputError: the file cannot be read, or a line is not a word with `units` finite numbers.
  """
  rows = {word: row for row, word in enumerate(words)}
  vectors = np.zeros((len(words), units), "float32")
  found = np.zeros(len(words), bool)
  for number, line in _lines(path):
    spaces = line.count(b" ")
    if spaces != units:
      if number == 1 and _header(line) == units:
        continue
      _check_words_with_spaces(path, number, line, spaces, units)
      continue
    word = line[: line.index(b" ")]
    row = rows.get(word if word.isascii() else _composed(word))
    if row is None or found[row]:
      continue
    try:
      values = np.array(line[len(word) + 1 :].split(b" "), "float32")
    except ValueError:
      values = np.full(units, np.nan)
    if not np.isfinite(values).all():
      raise BadInputError(
        f"model.embeddings: line {number} of {str(path)!r} must hold {units} finite numbers after "
        f"the word. Received: {_shown(line)}"
      )
    vectors[row], found[row] = values, True
  return vectors, found


def sha256(path: pathlib.Path) -> str:
  """Returns the file's hash, in hexadecimal.

  Raises:
    BadInputError: the file cannot be read.
  """
  digest = hashlib.sha256()
  try:
    with path.open("rb") as file:
      while chunk := file.read(_CHUNK):
        digest.update(chunk)
  except OSError as err:
    raise _unreadable(path, err) from err
  return digest.hexdigest()


def _lines(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
  """Yields the number and content of each line that is not blank, without its line end."""
  try:
    with _open(path) as file:
      for number, line in enumerate(file, 1):
        stripped = line.rstrip(b" \r\n")
        if stripped:
          yield number, stripped
  except (OSError, EOFError, zlib.error) as err:
    raise _unreadable(path, err) from err


def _open(path: pathlib.Path) -> gzip.GzipFile | io.BufferedReader:
  return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _header(line: bytes) -> int | None:
  """Returns the dimension in a fastText header; None if the line is not a header."""
  parts = line.split(b" ")
  return int(parts[1]) if len(parts) == 2 and all(p.isdigit() for p in parts) else None


def _check_words_with_spaces(
  path: pathlib.Path, number: int, line: bytes, spaces: int, units: int
) -> None:
  """Accepts a line whose word contains spaces, as some lines of GloVe's largest file do.

  Our words contain no spaces, so such a line is skipped; but it must not hide a wrong dimension.
  """
  extra = line.split(b" ")[1 : spaces - units + 1] if spaces > units else []
  if not extra or all(_is_number(part) for part in extra):
    raise BadInputError(
      f"model.embeddings: line {number} of {str(path)!r} has {spaces} numbers after its word. "
      f"Expected {units}, as the lines before it have: {_FORMAT}. Received: {_shown(line)}"
    )


def _composed(word: bytes) -> bytes:
  decoded = word.decode("utf-8", errors="surrogateescape")
  return unicodedata.normalize("NFC", decoded).encode("utf-8", errors="surrogateescape")


def _is_number(part: bytes) -> bool:
  try:
    float(part)
  except ValueError:
    return False
  return True


def _shown(line: bytes) -> str:
  return repr(line[:60].decode("utf-8", errors="replace"))


def _unreadable(path: pathlib.Path, err: BaseException) -> BadInputError:
  reason = getattr(err, "strerror", None) or str(err)
  return BadInputError(f"model.embeddings: cannot read {str(path)!r}: {reason}.")
