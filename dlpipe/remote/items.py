"""`Store`: what every kind of store can do; `Item`, a file of one."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
from typing import IO


@dataclasses.dataclass(frozen=True, kw_only=True)
class Item:
  """A file of a store.

  Attributes:
    name: its path below the address; the last part of the address for a single file.
    size: bytes; None if the server does not say.
    changed: seconds since 1970 of its last change, or a number that stands for its content.
    source: what the store opens it by.
  """

  name: str
  size: int | None
  changed: float
  source: str


class Store(abc.ABC):
  """The files at an address."""

  @abc.abstractmethod
  def items(self) -> tuple[str, list[Item]]:
    """Returns what the address is, "folder", "file" or "prefix", and its files by name.

    A prefix is the common beginning of several files, such as `corpus/train` of `train.en` and
    `train.de`. Without files, nothing is there.
    """

  @abc.abstractmethod
  def open(self, item: Item) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Opens a file for reading."""

  def folders(self) -> list[str]:
    """Returns the names of the folders right below the address."""
    raise NotImplementedError

  def write(self, name: str, content: IO[bytes]) -> None:
    """Writes a file to `name` below the address, and closes its content."""
    raise NotImplementedError
