"""The values that a data source passes to `SourceExampleGen`.

A source is two functions. `plan(path, options)` inspects the input once, cheaply, in the driver's
process, and returns a `SourcePlan`; `read(shard, options)` runs on a Beam worker and yields a
`Record` or a `Rejected` for each picture, row or pair. Neither imports Beam or TFX. This module
and `dlpipe.recognition` import only the standard library.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.recognition import Recognized

TRAIN, VAL, EVAL = "train", "val", "eval"
SPLITS = (TRAIN, VAL, EVAL)
# Usual names of splits, in lower case. Data with two splits calls the held-out one "test".
SPLIT_NAMES = {
  "train": TRAIN,
  "training": TRAIN,
  "val": VAL,
  "valid": VAL,
  "validation": VAL,
  "eval": EVAL,
  "test": EVAL,
  "testing": EVAL,
}

FeatureValue = bytes | str | int | float | Sequence[bytes | str | int | float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourcePlan:
  """The plan of an input: what workers read.

  Attributes:
    shards: units of work, each a JSON-serialisable mapping that `read` understands; a worker reads
      one at a time, so a shard should hold some hundreds or thousands of records.
    fingerprint: the cache key; changes if the input changes (names, sizes, modification times).
    given_splits: the splits that the input defines (a subset of `SPLITS`); empty if it defines
      none. If `TRAIN` is given and `VAL` is not, validation rows are taken from train.
    recognized: how the source read the input: its files, columns, classes and unread parts; None
      if the source does not report it.
  """

  shards: Sequence[Mapping[str, Any]]
  fingerprint: str
  given_splits: tuple[str, ...] = ()
  recognized: Recognized | None = None

  @property
  def classes(self) -> Mapping[str, int]:
    """The number of inputs of every class that the layout names, as `Recognized` has it."""
    return self.recognized.classes if self.recognized else {}

  @property
  def labels(self) -> tuple[str, ...]:
    """The classes that have inputs; empty if classes are unknown before the input is read."""
    return tuple(sorted(label for label, count in self.classes.items() if count))

  def sentences(self) -> list[str]:
    """Describes the input for a person; empty if the source does not report it."""
    return self.recognized.sentences(self.given_splits) if self.recognized else []

  def recognition(self) -> dict[str, Any]:
    """Describes the input for a program, as `Recognized.to_json`; empty if not reported."""
    return self.recognized.to_json(self.given_splits) if self.recognized else {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
  """One usable example.

  >>> dlpipe.Record(
  ...   features={"text": "Not bad.", "label": "good"},
  ...   content=b"Not bad.",
  ...   split=None,
  ...   origin="reviews.csv, row 2",
  ... ).features["label"]
  'good'

  Attributes:
    features: raw feature name to value; str is stored as UTF-8 bytes.
    content: bytes whose hash selects the split: records of equal content share a split.
    split: the split that the input gave, or None to draw one by the hash of `content`.
    origin: the file, and the row if the file has rows, as `pipeline.sources.origins` writes it.
      Messages, reports and `dlpipe runs rows` name the record by it, so no two should share one.
    id: the record's identifier in the data, if it has one.
  """

  features: Mapping[str, FeatureValue]
  content: bytes
  split: str | None
  origin: str
  id: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rejected:
  """One record that cannot be used; it goes to the quarantine.

  >>> dlpipe.Rejected(origin="reviews.csv, row 3", reason="the text is empty").reason
  'the text is empty'

  Attributes:
    origin: the file, and the row if the file has rows.
    reason: why it cannot be used.
    file: path of the file to copy to the quarantine, if the record is a whole file.
    data: the raw bytes to keep, if the record is a part of a file.
    label: the label, if it is known, so that messages can name a class without usable records. It
      does not belong to the fault, so it is not compared.
  """

  origin: str
  reason: str
  file: str | None = None
  data: bytes | None = None
  label: FeatureValue | None = dataclasses.field(default=None, compare=False)


def labels_in_words(labels: Sequence[str]) -> str:
  """Joins the labels of a row that may have several, for people; `(none)` without labels.

  A label may hold the mark, so programs read lists.

  >>> labels_in_words(["red", "round"]), labels_in_words([])
  ('red | round', '(none)')
  """
  return " | ".join(labels) or "(none)"


def class_names(label: Any) -> tuple[str, ...]:
  """Returns the classes in a label's value: one text, or each text of a list; none for a number.

  >>> class_names("cat"), class_names(["red", "round"]), class_names(2.5), class_names([])
  (('cat',), ('red', 'round'), (), ())
  """
  if isinstance(label, (str, bytes)):
    return (label.decode("utf-8", "replace") if isinstance(label, bytes) else label,)
  if isinstance(label, Sequence):
    return tuple(name for each in label for name in class_names(each))
  return ()


_IS_PART: contextvars.ContextVar[bool] = contextvars.ContextVar("is_part", default=False)


@contextlib.contextmanager
def part_of_input() -> Iterator[None]:
  """Marks a block in which a source plans part of the input, such as a day: it may lack a class."""
  token = _IS_PART.set(True)
  try:
    yield
  finally:
    _IS_PART.reset(token)


def is_part() -> bool:
  """Returns whether a source plans only a part of the input, which alone need not be enough."""
  return _IS_PART.get()
