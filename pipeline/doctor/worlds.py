"""Which TFX goes with which Python, and which machines can load it: the table of `worlds.txt`.

The scripts that install and lock read the same file. Imports no framework.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

# Beside the sources in a checkout; an installed wheel has none.
CONSTRAINTS = pathlib.Path(__file__).resolve().parents[2] / "constraints"
LINUX, APPLE_SILICON = "Linux x86_64", "Darwin arm64"


@dataclasses.dataclass(frozen=True, kw_only=True)
class World:
  """A Python and the TFX that goes with it.

  Attributes:
    python: major and minor version.
    tfx: major and minor version, such as "1.21".
    glibc: the oldest C library on Linux x86_64.
    apple_silicon: whether TFX has wheels for macOS on arm64.
    kept_until: date until which a Python past its end of life is kept; empty where it is not.
  """

  python: tuple[int, int]
  tfx: str
  glibc: tuple[int, int]
  apple_silicon: bool
  kept_until: str

  @property
  def lock(self) -> str:
    """Name of the lock below `constraints/`, without `.txt`."""
    return f"py{self.python[0]}{self.python[1]}-tfx{self.tfx}"

  @property
  def pins(self) -> str:
    """Name of the file of pins below `constraints/`, without `.in`."""
    return f"tfx{self.tfx}"


@functools.cache
def worlds() -> tuple[World, ...]:
  """Every world, the newest first."""
  text = pathlib.Path(__file__).with_name("worlds.txt").read_text("utf-8")
  rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
  return tuple(
    World(
      python=_numbers(python),
      tfx=tfx,
      glibc=_numbers(glibc),
      apple_silicon=macos == "yes",
      kept_until="" if kept_until == "-" else kept_until,
    )
    for python, tfx, glibc, macos, kept_until in rows
  )


def find_world(python: tuple[int, ...]) -> World | None:
  """The world of a Python, by its major and minor version; None where no TFX goes with it."""
  return next((world for world in worlds() if world.python == python[:2]), None)


def dotted(version: tuple[int, ...]) -> str:
  """Like "3.13"."""
  return ".".join(map(str, version))


def _numbers(version: str) -> tuple[int, int]:
  major, minor = version.split(".")
  return int(major), int(minor)
