"""Asks the exported model why it answers as it does, for rows that a report shows.

`REASONS_FILE` is a JSON object:

- `missing`: why there are no reasons; empty if there are.
- `failed`: how many rows could not be explained, and `failure`, what the first one met.
- `reasons`: number of a row in the table to what the signature `explain` says of it: `label`,
  `explained`, `intercept`, `unexplained` as the signature has them, and one of
  - `map`: `[h][w]`, at most 28 places a side; neighbours of a larger map are added up;
  - `words`: `[[word, part], ...]`, the strongest first, parts of equal words added up;
  - `source_tokens`, `target_tokens`, `alignment`: of the first words of a long text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlpipe.artifact_files import decoded
from dlpipe.words import one_line
from pipeline.explanations.values import EXPLAIN, WITHOUT, by_word, trimmed
from pipeline.rows.files import REASONS_FILE

_BATCH = 16
_NOT_OPTIMIZED = "disable_meta_optimizer"
_MOST_PLACES = 28  # of a side of a map
_MOST_WORDS = 20
_MOST_ALIGNED = 60  # words of a side
_ACCOUNT = ("label", "explained", "intercept", "unexplained")
_ALIGNMENT = ("source_tokens", "target_tokens", "alignment")

Ask = Callable[[Sequence[bytes]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(kw_only=True)
class Reasons:
  """What the signature `explain` says of some rows; the fields are those of the file."""

  missing: str = ""
  failed: int = 0
  failure: str = ""
  reasons: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)

  def write(self, directory: pathlib.Path) -> None:
    """Writes the file."""
    (directory / REASONS_FILE).write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

  @classmethod
  def read(cls, directory: pathlib.Path) -> Reasons | None:
    """Reads the file; None if there is none, as in a run of an older release."""
    path = directory / REASONS_FILE
    if not path.is_file():
      return None
    found = json.loads(path.read_text("utf-8"))
    reasons = {int(number): reason for number, reason in found.pop("reasons").items()}
    return cls(**found, reasons=reasons)


def asking(signatures: Mapping[str, Any], input_key: str) -> Ask | None:
  """Returns what asks the signature `explain` of a loaded SavedModel; None if it has none."""
  import tensorflow as tf

  explain = signatures.get(EXPLAIN)
  if explain is None:
    return None

  def ask(values: Sequence[bytes]) -> dict[str, np.ndarray]:
    with _as_written():
      found = explain(**{input_key: tf.constant(values, tf.string)})
    return {name: np.asarray(value) for name, value in found.items()}

  return ask


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
  """Runs graphs as they are written: to optimize one takes longer than a hundred reasons."""
  import tensorflow as tf

  before = tf.config.optimizer.get_experimental_options()
  tf.config.optimizer.set_experimental_options({_NOT_OPTIMIZED: True})
  try:
    yield
  finally:
    told = {_NOT_OPTIMIZED: before.get(_NOT_OPTIMIZED, False)}
    tf.config.optimizer.set_experimental_options(told)


class Asker:
  """Notes inputs that go by, and asks about them in batches, so that few are in memory."""

  def __init__(self, ask: Ask | None, wanted: Collection[int]):
    """Takes the result of `asking`, and the numbers of the rows to ask about."""
    self._ask = ask
    self._wanted = frozenset(wanted)
    self._waiting: list[tuple[int, bytes]] = []
    self.found = Reasons(missing="" if ask else f"The model has no signature {EXPLAIN}: {WITHOUT}.")

  @property
  def wanted(self) -> frozenset[int]:
    """The rows to ask about; none if the model cannot be asked."""
    return self._wanted if self._ask is not None else frozenset()

  def noting(self, values: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yields numbers of rows and their inputs as they come; asks about those that are wanted."""
    for number, value in values:
      if number in self.wanted and not self.found.missing:
        self._waiting.append((number, value))
        if len(self._waiting) == _BATCH:
          self._answer(self._waiting)
          self._waiting = []
      yield number, value
    self._answer(self._waiting)

  def _answer(self, rows: Sequence[tuple[int, bytes]]) -> None:
    import tensorflow as tf

    if not rows or self._ask is None:
      return
    try:
      outputs = self._ask([value for _, value in rows])
    except tf.errors.OpError as err:
      if len(rows) > 1:  # one input must not cost the others their reason
        for each in rows:
          self._answer([each])
      else:
        self._fail(one_line(err.message))
      return
    for place, (number, _) in enumerate(rows):
      row = trimmed({name: _plain(values[place]) for name, values in outputs.items()})
      parts = _parts(row)
      if not parts:
        self.found.missing = (
          f"The signature {EXPLAIN} tells neither places, words nor an alignment, but "
          f"{', '.join(sorted(row))}: a report cannot draw them."
        )
        return
      reason = {**{name: row[name] for name in _ACCOUNT if name in row}, **parts}
      if _is_finite(reason):
        self.found.reasons[number] = reason
      else:
        self._fail("a part of the explanation is no finite number")

  def _fail(self, message: str) -> None:
    self.found.failed += 1
    self.found.failure = self.found.failure or message


def _parts(row: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the parts of an explanation, no larger than a report needs; empty without any."""
  if "map" in row:
    return {"map": _smaller(np.array(row["map"], np.float64)).tolist()}
  if {"tokens", "contributions"} <= row.keys():
    return {"words": by_word(row["tokens"], row["contributions"])[:_MOST_WORDS]}
  if set(_ALIGNMENT) <= row.keys():
    sources, targets, shares = (row[name][:_MOST_ALIGNED] for name in _ALIGNMENT)
    cut = [each[:_MOST_ALIGNED] for each in shares]
    return dict(zip(_ALIGNMENT, (sources, targets, cut), strict=True))
  return {}


def _smaller(places: np.ndarray) -> np.ndarray:
  """Adds up neighbours until a map has at most `_MOST_PLACES` a side."""
  for axis in (0, 1):
    size = places.shape[axis]
    if size > _MOST_PLACES:
      starts = np.arange(_MOST_PLACES) * size // _MOST_PLACES
      places = np.add.reduceat(places, starts, axis=axis)
  return places


def _plain(value: Any) -> Any:
  found = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
  return decoded(found)


def _is_finite(value: Any) -> bool:
  if isinstance(value, Mapping):
    value = list(value.values())
  if isinstance(value, (list, tuple)):
    return all(_is_finite(each) for each in value)
  return not isinstance(value, float) or bool(np.isfinite(value))
