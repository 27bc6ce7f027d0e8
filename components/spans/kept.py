"""What was read of each span, kept below `<workspace>/<task>/spans/` for every later window.

    kept/<what it depends on>[-<what was moved>]/
      span.json      a `KeptSpan`
      examples/      as in an Examples artifact: Split-<split>/ and origins/Split-<split>/
      quarantine/    as in a Quarantine artifact
      draw.json      what `draws.Draw` needs of it
      keys           the content keys that it drew, eight bytes each
      statistics/    what `components.spans.statistics` keeps
    moves.json       content key to split, of all contents that were ever moved
    contents.json    hashes of the spans' bytes
    window.json      the spans that were read last

A folder appears whole or not at all. Imports no TFX.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from components.source_example_gen.draws import Draw
from components.spans import window
from dlpipe.artifact_files import ArtifactFile
from dlpipe.disk.whole_files import write_whole

EXAMPLES, QUARANTINE, STATISTICS = "examples", "quarantine", "statistics"
DRAW_FILE, KEYS_FILE = "draw.json", "keys"
_KEPT, _MOVES_FILE, _PARTIAL = "kept", "moves.json", ".partial"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeptSpan(ArtifactFile):
  """`span.json`.

  Attributes:
    name: the span's name when it was read.
    key: a hash of its content and of all that it was read with.
    given_splits: the splits that it defines.
    moved: hexadecimal content key to split, of its contents that go elsewhere than their hash says.
    relabelled: the origins of records with a new label.
    classes: records that the source gave, by class, if there are new labels.
  """

  FILE: ClassVar[str] = "span.json"

  name: str
  key: str
  given_splits: tuple[str, ...] = ()
  moved: dict[str, str] = dataclasses.field(default_factory=dict)
  relabelled: tuple[str, ...] = ()
  classes: dict[str, int] = dataclasses.field(default_factory=dict)

  @property
  def folder_name(self) -> str:
    """The name of its folder."""
    if not self.moved:
      return self.key
    said = json.dumps(self.moved, sort_keys=True).encode()
    return f"{self.key}-{hashlib.sha256(said).hexdigest()[:8]}"


class Store:
  """The folder of kept spans."""

  def __init__(self, root: str):
    """Opens nothing yet."""
    self.root = pathlib.Path(root)

  def partial(self, key: str) -> pathlib.Path:
    """Returns an empty folder to read a span into."""
    path = self.root / _PARTIAL / key
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path

  def put(self, partial: pathlib.Path, span: KeptSpan) -> pathlib.Path:
    """Keeps what was read into the folder; returns where it is kept."""
    (partial / KeptSpan.FILE).write_text(span.to_text(), encoding="utf-8")
    folder = self.root / _KEPT / span.folder_name
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    return folder

  def find(self, key: str, moves: Mapping[bytes, str]) -> pathlib.Path | None:
    """Returns the folder of a span in which exactly its contents among `moves` are moved."""
    for path in sorted((self.root / _KEPT).glob(f"{key}*")):
      span = read(path)
      try:
        if span is not None and span.moved == moved_of(path, moves):
          return path
      except OSError:  # damaged by hand: read anew
        continue
    return None

  def forget(self) -> None:
    """Deletes what was read, but not the list of contents that were moved."""
    shutil.rmtree(self.root / _KEPT, ignore_errors=True)

  def unused(self) -> list[pathlib.Path]:
    """Returns the folders that the last window does not need."""
    needed = {span.get("kept") for span in window.remembered(str(self.root)).values()}
    return [path for path in sorted((self.root / _KEPT).glob("*")) if path.name not in needed]

  def leftovers(self) -> list[pathlib.Path]:
    """Returns what killed processes left."""
    return sorted((self.root / _PARTIAL).glob("*"))

  def moves(self) -> dict[bytes, str]:
    """Returns the contents that were ever moved: they stay where they are."""
    try:
      known = json.loads((self.root / _MOVES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
      return {}
    return {bytes.fromhex(key): split for key, split in known.items()}

  def add_moves(self, moves: Mapping[bytes, str]) -> None:
    """Adds contents that are moved from now on."""
    known = {key.hex(): split for key, split in {**moves, **self.moves()}.items()}
    write_whole(self.root / _MOVES_FILE, json.dumps(known, indent=1))


def read(folder: pathlib.Path) -> KeptSpan | None:
  """Returns what is known of a kept span; None if its file is gone or damaged."""
  try:
    return KeptSpan.read(folder)
  except (OSError, ValueError):
    return None


def moved_of(folder: pathlib.Path, moves: Mapping[bytes, str]) -> dict[str, str]:
  """Returns the part of `moves` that concerns a kept span, with hexadecimal keys."""
  return of_keys((folder / KEYS_FILE).read_bytes(), moves) if moves else {}


def of_keys(drawn: bytes, moves: Mapping[bytes, str]) -> dict[str, str]:
  """Returns the part of `moves` whose contents are among the drawn keys."""
  if not moves:
    return {}
  wanted = np.frombuffer(b"".join(moves), ">u8")
  found = wanted[np.isin(wanted, np.frombuffer(drawn, ">u8"))]
  keys = [number.to_bytes(8, "big") for number in sorted(found.tolist())]
  return {key.hex(): moves[key] for key in keys}


def repeated(folder: pathlib.Path, before: pathlib.Path) -> float:
  """Returns the part of a kept span's contents that another one has, too, 0 to 1."""
  own, other = (
    np.unique(np.frombuffer((each / KEYS_FILE).read_bytes(), ">u8")) for each in (folder, before)
  )
  return float(np.isin(own, other, assume_unique=True).mean()) if len(own) else 0.0


def draw_of(folder: pathlib.Path) -> list[Any]:
  """Returns the rows of a kept span for `Draw.add_json`."""
  rows: list[Any] = json.loads((folder / DRAW_FILE).read_text(encoding="utf-8"))
  return rows


def merged(folders: list[pathlib.Path]) -> Draw:
  """Returns the draw of all kept spans together."""
  draw = Draw()
  for folder in folders:
    draw.add_json(draw_of(folder))
  return draw
