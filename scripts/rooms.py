"""Draws the rooms and their imports in docs/architecture.md, or checks that the picture is current.

    python scripts/rooms.py           rewrites the picture
    python scripts/rooms.py --check   exits 1 if the picture is stale

A room is a package or a module directly below a top-level package. An arrow is an import; an arrow
is omitted if a longer path implies it. The picture is Mermaid, which code hosts render.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Iterable, Mapping

import grimp

_PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "architecture.md"
_PACKAGES = ("components", "data", "dlpipe", "dlpipe_client", "pipeline", "serving")
# Packages whose rooms are shown; the others are one room each.
_OPENED = ("pipeline", "serving")
_BEGIN, _END = "<!-- rooms: make rooms -->\n", "<!-- end of rooms -->\n"


def main() -> None:
  """Writes the picture, or checks that it is current."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
  options = parser.parse_args()
  before = _PAGE.read_text(encoding="utf-8")
  after = with_picture(before, drawn(arrows()))
  if options.check:
    if before != after:
      sys.exit("docs/architecture.md shows other rooms than there are. Run: make rooms")
    return
  _PAGE.write_text(after, encoding="utf-8")


def arrows() -> dict[str, set[str]]:
  """Returns every room with the rooms that it imports."""
  graph = grimp.build_graph(*_PACKAGES, cache_dir=None)
  found: dict[str, set[str]] = {}
  for module in graph.modules:
    if module.endswith(".__main__"):  # an entry point, which no module imports
      continue
    room = room_of(module)
    imported = {room_of(other) for other in graph.find_modules_directly_imported_by(module)}
    found.setdefault(room, set()).update(imported - {room})
  # A package that only contains rooms is not a room itself.
  return {room: others for room, others in found.items() if others or room not in _OPENED}


def room_of(module: str) -> str:
  """Returns the room of a module.

  >>> room_of("pipeline.runs.store.executions")
  'pipeline.runs'
  """
  parts = module.split(".")
  return ".".join(parts[:2]) if parts[0] in _OPENED else parts[0]


def drawn(rooms: Mapping[str, Iterable[str]]) -> str:
  """Returns a Mermaid flowchart without the arrows that longer paths imply.

  Raises:
    ValueError: rooms import each other in a cycle; the message names it.
  """
  reach: dict[str, set[str]] = {}

  def reached(room: str, path: tuple[str, ...] = ()) -> set[str]:
    if room in path:
      raise ValueError(f"A circle of rooms: {' -> '.join((*path[path.index(room) :], room))}")
    if room not in reach:
      others = set(rooms.get(room, ()))
      reach[room] = others.union(*(reached(other, (*path, room)) for other in others))
    return reach[room]

  lines = ["```mermaid", "flowchart TD"]
  for room in sorted(rooms):
    reached(room)
  for package in _OPENED:
    inside = [room for room in sorted(rooms) if room.startswith(f"{package}.")]
    if inside:
      lines.append(f"  subgraph {package}")
      lines += [f"    {_name(room)}[{room.partition('.')[2]}]" for room in inside]
      lines.append("  end")
  for room in sorted(rooms):
    others = set(rooms[room])
    implied = set().union(*(reach[other] for other in others)) if others else set()
    lines += [f"  {_name(room)} --> {_name(other)}" for other in sorted(others - implied)]
  return "\n".join([*lines, "```", ""])


def with_picture(page: str, picture: str) -> str:
  """Returns the page with the picture between its two marks.

  Raises:
    ValueError: a mark is missing.
  """
  head, begin, rest = page.partition(_BEGIN)
  _, end, tail = rest.partition(_END)
  if not begin or not end:
    raise ValueError(f"The page lacks {_BEGIN.strip()!r} or {_END.strip()!r}.")
  return f"{head}{begin}{picture}{end}{tail}"


def _name(room: str) -> str:
  return room.replace(".", "_")


if __name__ == "__main__":
  main()
