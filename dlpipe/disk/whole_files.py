"""Writes files that a reader sees whole or not at all: every record that lasts goes through here.

User files that a command names with `-o` do not: `/dev/stdout` cannot be replaced.
"""

from __future__ import annotations

import os
import pathlib
import secrets

# Other users read it: a collector of metrics, an orchestrator, a server in a container.
FOR_OTHERS = 0o644
_PARTIAL = ".partial"


def write_whole(
  path: str | os.PathLike[str], content: str | bytes, *, mode: int | None = None
) -> None:
  """Writes a file beside its path, flushes it to the disk, and gives it its name.

  A process that is killed, a full disk or a loss of power leaves the file that was there.

  >>> write_whole("runs/1.json", "{}")
  >>> pathlib.Path("runs/1.json").read_text()
  '{}'

  Args:
    path: the file; its folder is created.
    content: text is written as UTF-8 with unchanged line ends.
    mode: the file's permissions; None leaves them to the umask.

  Raises:
    OSError: the file cannot be written; nothing is left of it.
  """
  target = pathlib.Path(path)
  target.parent.mkdir(parents=True, exist_ok=True)
  # No reader's pattern, such as *.json, takes this name, and no other writer has it.
  partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_PARTIAL}")
  try:
    with partial.open("xb") as file:
      file.write(content.encode() if isinstance(content, str) else content)
      file.flush()
      os.fsync(file.fileno())
    if mode is not None:
      partial.chmod(mode)
    os.replace(partial, target)
  finally:
    partial.unlink(missing_ok=True)


def flush(path: str | os.PathLike[str]) -> None:
  """Flushes a file, or the names in a folder, to the disk."""
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


def leftovers(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns what processes that were killed left in a folder; none may be writing there."""
  return sorted(folder.glob(f".*{_PARTIAL}"))
