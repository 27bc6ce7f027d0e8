"""Reads `worlds.txt`: the TFX release for each Python, and the machines that can load it.

The scripts that install and lock read the same file. Imports no framework.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

# In a checkout, beside the sources; an installed wheel does not contain it.
CONSTRAINTS = pathlib.Path(__file__).resolve().parents[2] / "constraints"
LINUX, APPLE_SILICON = "Linux x86_64", "Darwin arm64"


@dataclasses.dataclass(frozen=True, kw_only=True)
class World:
  """A Python version and its TFX release.

  Attributes:
    python: major and minor version.
    tfx: major and minor version, such as "1.21".
    glibc: the oldest C library on Linux x86_64.
    apple_silicon: whether TFX has wheels for macOS on arm64.
    kept_until: date until which we support a Python past its end of life; empty if it is current.
  """

  python: tuple[int, int]
  tfx: str
  glibc: tuple[int, int]
  apple_silicon: bool
  kept_until: str

  @property
  def lock(self) -> str:
    """The name of the lock file in `constraints/`, without `.txt`."""
    return f"py{self.python[0]}{self.python[1]}-tfx{self.tfx}"

  @property
  def pins(self) -> str:
    """The name of the file of pins in `constraints/`, without `.in`."""
    return f"tfx{self.tfx}"


@functools.cache
def worlds() -> tuple[World, ...]:
  """Returns every world, the newest first."""
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
  """Returns the world of a Python by its major and minor version; None if no TFX supports it."""
  return next((world for world in worlds() if world.python == python[:2]), None)


def dotted(version: tuple[int, ...]) -> str:
  """Formats a version as text.

  >>> dotted((3, 13))
  '3.13'
  """
  return ".".join(map(str, version))


def _numbers(version: str) -> tuple[int, int]:
  major, minor = version.split(".")
  return int(major), int(minor)
