"""Refuses paths that cannot be used, before anything is created.

Imports only the standard library and our errors.
"""

from __future__ import annotations

import os

from dlpipe.errors import BadInputError
from dlpipe.remote import addresses


def require_local(option: str, path: str) -> str:
  """Returns the absolute path.

  Args:
    option: the option that gave the path, such as `--workspace`.
    path: the path as the user wrote it.

  Raises:
    BadInputError: the path is empty, or a remote address such as `gs://bucket/pictures`.
  """
  _require_text(option, path)
  scheme = addresses.scheme_of(path)
  # Even if a folder of this name exists: an older release created it by mistake.
  if scheme is None:
    return os.path.abspath(path)
  if scheme == "file":
    advice = "leave file:// out"
  elif option == "--input":
    advice = "copy it here first, or give the folder where it is mounted"
  elif option == "--workspace":
    advice = (
      "runs need a disk with locks and renames. Give a folder here; --set push.copy_to=ADDRESS "
      "copies the served versions to a store"
    )
  else:
    advice = "give a folder here, such as one where the bucket is mounted"
  raise BadInputError(f"{option} takes a path on this machine. Received: {path!r}; {advice}.")


def require_no_pattern(option: str, path: str) -> str:
  """Returns the path of a folder that TFX writes below.

  Raises:
    BadInputError: TFX and Beam would take the path for a pattern, and find none of the files.
  """
  if not set("*?[\\") & set(path):
    return path
  raise BadInputError(
    f"{option} takes a path without *, ?, [ and \\, which TFX takes for patterns of file names. "
    f"Received: {path}; choose another folder, as with --workspace."
  )


def require_readable(option: str, path: str) -> str:
  """Returns the absolute path, or the address of a store that can be read.

  Args:
    option: the option that gave it, such as `--data`.
    path: the path as the user wrote it.

  Raises:
    BadInputError: the path is empty, or an address with another scheme.
  """
  _require_text(option, path)
  scheme = addresses.scheme_of(path)
  if scheme is None or addresses.is_remote(path):
    return absolute(path)
  if scheme == "file":
    advice = "leave file:// out"
  else:
    advice = "copy it here first"
  known = ", ".join(f"{each}://" for each in addresses.SCHEMES)
  raise BadInputError(
    f"{option} takes a path on this machine, or an address: {known}. Received: {path!r}; {advice}."
  )


def require_new_file(option: str, path: str, *, source: str | None = None) -> None:
  """Checks that a command can write a file, before it reads anything; the file may exist.

  Args:
    option: the option that named the file, such as `--page`.
    path: the file.
    source: the input that the command reads; None if it reads none.

  Raises:
    BadInputError: the path is a folder, cannot be made, or lies in the input, where the next run
      would read it.
  """
  if os.path.isdir(path):
    raise BadInputError(f"{option} takes the name of a file. {path!r} is a folder.")
  if source is not None and lies_in(path, source):
    raise BadInputError(f"{option} {path!r} lies in the input {source!r}. Choose another name.")
  folder = os.path.dirname(os.path.abspath(path))
  while not os.path.lexists(folder):
    folder = os.path.dirname(folder)
  if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
    raise BadInputError(f"{option} {path!r} cannot be written: {folder!r} is no writable folder.")


def lies_in(path: str, source: str) -> bool:
  """Returns whether a path is an input, or in the folder that is one."""
  if addresses.scheme_of(source) is not None:
    return False
  real, real_source = os.path.realpath(path), os.path.realpath(source)
  return real == real_source or (os.path.isdir(source) and real.startswith(real_source + os.sep))


def absolute(path: str) -> str:
  """Returns the absolute path; an address, and a template that begins with a variable, stay."""
  if addresses.scheme_of(path) is not None or path.startswith("{{"):
    return path
  return os.path.abspath(path)


def _require_text(option: str, path: str) -> None:
  if not path:
    # Such as an unset shell variable: the user did not mean the default.
    raise BadInputError(
      f"{option} takes a path. Received an empty text; give one, or leave it out."
    )
