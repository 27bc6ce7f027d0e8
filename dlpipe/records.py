"""What a data source hands to `SourceExampleGen`: plain values, one type per fact.

A source is two functions. `plan(path, options)` looks at the input once, cheaply, in the driver's
process, and says what there is to read; `read(shard, options)` runs on a Beam worker and yields a
`Record` or a `Rejected` for each picture, row or pair. Neither knows Beam or TFX. This module
and `dlpipe.recognition` import only the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.recognition import Recognized

TRAIN, VAL, EVAL = "train", "val", "eval"
SPLITS = (TRAIN, VAL, EVAL)
# What people call splits, in lower case. Data that knows two calls the one to judge by "test".
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
  """What there is to read.

  Attributes:
    shards: units of work, each a JSON-serialisable mapping that `read` understands; a worker reads
      one at a time, so a shard should hold some hundreds or thousands of records.
    fingerprint: changes when the input changes (names, sizes, modification times); the cache key.
    given_splits: the splits the input itself draws (a subset of `SPLITS`); empty when it draws
      none. Where `TRAIN` is given and `VAL` is not, validation rows are taken out of train.
    recognized: what the source takes the input for: its files, columns, classes and what is not
      read. A source that leaves it out says nothing about its guess.
  """

  shards: Sequence[Mapping[str, Any]]
  fingerprint: str
  given_splits: tuple[str, ...] = ()
  recognized: Recognized | None = None

  @property
  def classes(self) -> Mapping[str, int]:
    """Every class that the layout names, to the number of its inputs, as `Recognized` has it."""
    return self.recognized.classes if self.recognized else {}

  @property
  def labels(self) -> tuple[str, ...]:
    """The classes that have inputs, where classes are known without reading."""
    return tuple(sorted(label for label, count in self.classes.items() if count))

  def sentences(self) -> list[str]:
    """What was recognized, for a person; empty if the source does not say."""
    return self.recognized.sentences(self.given_splits) if self.recognized else []

  def recognition(self) -> dict[str, Any]:
    """What was recognized, for a program, as `Recognized.to_json` has it; else empty."""
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
    content: what the split is drawn from: records of equal content always share a split.
    split: the split the input gave it, or None to draw one by hash of `content`.
    origin: the file, and the row where there is one, for messages.
  """

  features: Mapping[str, FeatureValue]
  content: bytes
  split: str | None
  origin: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rejected:
  """One record that cannot be used; it goes to the quarantine, never out of sight.

  >>> dlpipe.Rejected(origin="reviews.csv, row 3", reason="the text is empty").reason
  'the text is empty'

  Attributes:
    origin: the file, and the row where there is one.
    reason: what is wrong with it, in words.
    file: the path of the file to copy to the quarantine, where the record is a file of its own.
    data: the raw bytes to keep, where the record is a part of a file.
    label: its label, where that is known all the same, so that a class of which nothing can be used
      is told by name. It says nothing about what is wrong, so it is not compared.
  """

  origin: str
  reason: str
  file: str | None = None
  data: bytes | None = None
  label: FeatureValue | None = dataclasses.field(default=None, compare=False)


def class_names(label: Any) -> tuple[str, ...]:
  """Returns the classes that a label's value names: one text, or each of several; a number names none.

  >>> class_names("cat"), class_names(["red", "round"]), class_names(2.5), class_names([])
  (('cat',), ('red', 'round'), (), ())
  """
  if isinstance(label, (str, bytes)):
    return (label.decode("utf-8", "replace") if isinstance(label, bytes) else label,)
  if isinstance(label, Sequence):
    return tuple(name for each in label for name in class_names(each))
  return ()
