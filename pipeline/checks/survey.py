"""`Survey` reads the examples once and keeps numbers, never the examples themselves.

A row costs about 30 bytes plus its measures, and 128 bytes more if near-duplicates are searched.
"""

from __future__ import annotations

import array
import collections
import hashlib
import sys
from collections.abc import Callable, Collection

import numpy as np

from dlpipe.records import SPLITS
from pipeline.checks import near
from pipeline.checks.description import Description, IndescribableError, Row
from pipeline.checks.looks.measuring import Familiarity

# Bounds memory: later rows are not compared for near-duplicates, and the check says so.
MAX_COMPARED = 1_000_000
SHOWN = 5
_BATCH_PARTS = 1 << 18


class Survey:
  """Hashes and measures of every row, as columns.

  Args:
    describe: the task's function; if None, only equal inputs are found.

  Attributes:
    faults: the errors of the first inputs that cannot be described.
    met: number of inputs by unusual but valid property.
  """

  def __init__(self, describe: Callable[[bytes], Description] | None):
    self._describe = describe
    self._splits = array.array("B")
    self._contents, self._labels, self._keys = (array.array("Q") for _ in range(3))
    self._lengths: dict[str, array.array] = {}
    self._looks: dict[str, array.array] = {}
    self._scripts: list[str] = []
    self._familiarity = Familiarity()
    self._has_words = False
    self._waiting: list[tuple[int, np.ndarray]] = []
    self._waiting_parts = 0
    self._signatures: list[np.ndarray] = []
    self._signed = array.array("Q")
    self._thumbnails = bytearray()
    self._pictured = array.array("Q")
    self._unreadable = array.array("Q")
    self.faults: list[str] = []
    self.met: collections.Counter[str] = collections.Counter()

  def add(self, row: Row) -> None:
    """Takes the next row."""
    number = len(self._splits)
    self._splits.append(SPLITS.index(row.split))
    self._contents.append(_hash(row.value))
    self._labels.append(_hash(row.label))
    described = self._described(number, row.value)
    self._keys.append(_hash(described.key) if described and described.key else 0)
    if not described:
      return
    self.met.update(described.met)
    for name, value in described.lengths.items():
      self._lengths.setdefault(name, array.array("f")).append(value)
    for name, value in described.looks.items():
      self._looks.setdefault(name, array.array("f")).append(value)
    self._scripts.append(sys.intern(described.script))
    self._has_words = self._has_words or bool(len(described.words))
    self._familiarity.add(described.words)
    if number >= MAX_COMPARED:
      return
    if len(described.parts):
      self._waiting.append((number, _numbers(described.parts)))
      self._waiting_parts += len(described.parts)
      if self._waiting_parts >= _BATCH_PARTS:
        self._sign()
    if described.thumbnail:
      self._thumbnails += described.thumbnail
      self._pictured.append(number)

  def _described(self, number: int, value: bytes) -> Description | None:
    if self._describe is None:
      return None
    try:
      return self._describe(value)
    except IndescribableError as err:
      self._unreadable.append(number)
      if len(self.faults) < SHOWN:
        self.faults.append(str(err))
      return None

  def _sign(self) -> None:
    self._signatures.append(near.signatures([parts for _, parts in self._waiting]))
    self._signed.extend(number for number, _ in self._waiting)
    self._waiting, self._waiting_parts = [], 0

  @property
  def splits(self) -> np.ndarray:
    """The index of each row's split in `SPLITS`, `[rows]` uint8."""
    return np.frombuffer(self._splits, np.uint8)

  @property
  def contents(self) -> np.ndarray:
    """Hashes of the inputs, `[rows]` uint64."""
    return np.frombuffer(self._contents, np.uint64)

  @property
  def labels(self) -> np.ndarray:
    """Hashes of the labels, `[rows]` uint64."""
    return np.frombuffer(self._labels, np.uint64)

  @property
  def unreadable(self) -> np.ndarray:
    """The numbers of the rows that could not be described."""
    return np.frombuffer(self._unreadable, np.uint64).astype(np.int64)

  @property
  def lengths(self) -> dict[str, np.ndarray]:
    """Lengths, `[readable rows]` float32, by the measure's name."""
    return {name: np.frombuffer(values, np.float32) for name, values in self._lengths.items()}

  @property
  def readable(self) -> np.ndarray:
    """The numbers of the rows that were described."""
    return np.delete(np.arange(len(self.splits)), self.unreadable)

  @property
  def looks(self) -> dict[str, np.ndarray]:
    """Measures, `[readable rows]` float32, by name; of texts also `familiar`."""
    found = {name: np.frombuffer(values, np.float32) for name, values in self._looks.items()}
    return {**found, "familiar": self._familiarity.scores()} if self._has_words else found

  @property
  def scripts(self) -> np.ndarray:
    """The scripts, `[readable rows]` str; empty for an input that is no text."""
    return np.array(self._scripts, str)

  def near_groups(self) -> np.ndarray:
    """Returns `[rows]` group numbers; inputs that are equal or nearly equal share a group."""
    if self._waiting:
      self._sign()
    keys = np.frombuffer(self._keys, np.uint64)
    keyed = np.flatnonzero(keys)
    pairs = [_to_first(self.contents, np.arange(len(keys))), _to_first(keys[keyed], keyed)]
    if self._signed:
      rows = np.frombuffer(self._signed, np.uint64).astype(np.int64)
      _, distinct = np.unique(keys[rows], return_index=True)
      pairs.append(rows[distinct][near.similar_texts(np.concatenate(self._signatures)[distinct])])
    if self._pictured:
      rows = np.frombuffer(self._pictured, np.uint64).astype(np.int64)
      thumbnails = np.frombuffer(self._thumbnails, np.uint8).reshape(len(rows), -1)
      _, distinct = np.unique(self.contents[rows], return_index=True)
      pairs.append(rows[distinct][near.similar_pictures(thumbnails[distinct])])
    return near.groups(len(keys), np.concatenate(pairs))


def _numbers(parts: Collection[int]) -> np.ndarray:
  return np.fromiter(parts, np.uint32, len(parts)) if not isinstance(parts, np.ndarray) else parts


def _hash(value: bytes) -> int:
  return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


def _to_first(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
  """Returns `[pairs, 2]`: each row, paired with the first row of the same value."""
  _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
  return np.stack([rows[first][inverse], rows], axis=1)
