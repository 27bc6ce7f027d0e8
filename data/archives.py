"""Unpacks downloaded archives; writes only below the target folder and refuses links.

`data.fetch` calls this with an empty folder, which it renames after success. Imports only the
standard library.
"""

from __future__ import annotations

import contextlib
import fnmatch
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Sequence
from typing import IO

_CHUNK_BYTES = 1 << 20


class ArchiveError(Exception):
  """The archive is damaged, or would write outside the target folder."""


def is_archive(name: str) -> bool:
  """Returns whether `unpack` knows the format, by the file's name."""
  return name.endswith((".tar.gz", ".tgz", ".zip"))


def unpack(
  archive: pathlib.Path,
  target: pathlib.Path,
  *,
  keep: Sequence[str] = ("*",),
  max_bytes: int = 8 << 30,
) -> None:
  """Writes the regular files of a .tar.gz or .zip below a folder.

  Args:
    archive: the file to read.
    target: an existing folder.
    keep: patterns of the paths to write; `*` matches slashes too.
    max_bytes: limit on the total size of the unpacked files, against decompression bombs.

  Raises:
    ArchiveError: the archive is damaged, too large, or contains a link or a path outside the
      target. Earlier files of the archive may already be written.
  """
  written = 0
  try:
    with contextlib.closing(_members(archive)) as members:
      for name, content in members:
        path = _safe(archive, name)
        hidden = path.name.startswith("._")  # metadata that macOS adds to each file
        if hidden or not any(fnmatch.fnmatchcase(path.as_posix(), pattern) for pattern in keep):
          continue
        destination = target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        with destination.open("wb") as file:
          while chunk := content.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > max_bytes:
              raise ArchiveError(f"{archive.name} unpacks to more than {max_bytes:,} bytes.")
            file.write(chunk)
  except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as err:
    raise ArchiveError(f"{archive.name} is damaged: {err}.") from err


def _members(archive: pathlib.Path) -> Generator[tuple[str, IO[bytes]], None, None]:
  return _zip_members(archive) if archive.name.endswith(".zip") else _tar_members(archive)


def _zip_members(archive: pathlib.Path) -> Generator[tuple[str, IO[bytes]], None, None]:
  with zipfile.ZipFile(archive) as file:
    for info in file.infolist():
      if _is_link(info):
        raise ArchiveError(f"{archive.name} holds {info.filename!r}, a link; refused.")
      if not info.is_dir():
        with file.open(info) as content:
          yield info.filename, content


def _tar_members(archive: pathlib.Path) -> Generator[tuple[str, IO[bytes]], None, None]:
  with tarfile.open(archive, "r:gz") as file:
    for member in file:
      if member.isdir():
        continue
      content = file.extractfile(member) if member.isfile() else None
      if content is None:
        raise ArchiveError(f"{archive.name} holds {member.name!r}, a link or device; refused.")
      with content:
        yield member.name, content


def _is_link(info: zipfile.ZipInfo) -> bool:
  return (info.external_attr >> 28) == 0o12  # the upper four bits of a Unix mode: a symbolic link


def _safe(archive: pathlib.Path, name: str) -> pathlib.PurePosixPath:
  path = pathlib.PurePosixPath(name)
  if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
    raise ArchiveError(f"{archive.name} would write to {name!r}, outside of its folder; refused.")
  return path
