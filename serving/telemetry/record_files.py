"""TFRecord files that get their name when they are complete and hold only whole records.

Until then a file's name begins with a point, and its writer holds a lock on it. The kernel releases
the lock when the writer ends in any way; `recover` completes the file that is left.

Source of the format: tensorflow/core/lib/io/record_writer.h.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import logging
import os
import pathlib
import time

import tensorflow as tf

_LOG = logging.getLogger(__name__)
_FRAME_BYTES = 16  # length and two checksums, around each record
_MOST_PENDING = 1 << 20
# Errors of writing, reading and renaming on a disk that is full or lost.
ERRORS = (OSError, tf.errors.OpError)
_numbers = itertools.count(1)


class RecordFile:
  """A file that is being written.

  Attributes:
    opened_at: seconds on the monotonic clock.
    size: bytes of the whole records that the operating system has.
    pending: bytes of those that it does not have yet.
  """

  def __init__(self, folder: pathlib.Path):
    """Opens a new file.

    Args:
      folder: where to write; it is made if it is missing.

    Raises:
      OSError, tf.errors.OpError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"requests-{int(time.time() * 1000)}-{next(_numbers)}.tfrecord"
    self._hidden = folder / f".{name}"
    self._lock = os.open(self._hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
      fcntl.flock(self._lock, fcntl.LOCK_EX)
      self._writer = tf.io.TFRecordWriter(str(self._hidden))
    except BaseException:
      # Tried again with each request: neither descriptors nor empty files may pile up.
      os.close(self._lock)
      self._hidden.unlink(missing_ok=True)
      raise
    self.opened_at = time.monotonic()
    self.size = 0
    self.pending = 0
    self._count = 0  # of records, the one that failed among them

  def write(self, record: bytes) -> None:
    """Writes a record, which may be lost until `flush`.

    Raises:
      OSError, tf.errors.OpError: a part of it may be in the file. Only `complete` may follow.
    """
    self._count += 1
    self.pending += len(record) + _FRAME_BYTES
    self._writer.write(record)
    if self.pending > _MOST_PENDING:
      self.flush()

  def flush(self) -> None:
    """Hands what was written to the operating system, which keeps it if this process is killed.

    Raises:
      OSError, tf.errors.OpError: as `write`.
    """
    self._writer.flush()
    self.size += self.pending
    self.pending = 0

  def complete(self) -> int:
    """Gives the file its name, or deletes it if it has no whole record.

    Returns:
      How many records are not in it, after an error.

    Raises:
      OSError, tf.errors.OpError: it cannot be read, cut or renamed.
    """
    lost = 0
    try:
      with contextlib.suppress(*ERRORS):  # closing tries once more to write the rest
        self._writer.close()
      if self.pending:
        whole, self.size = _whole_records(self._hidden)
        lost = self._count - whole
      _finish(self._hidden, self.size)
    finally:
      os.close(self._lock)
    return lost


def recover(root: pathlib.Path) -> None:
  """Completes the files below `root` whose writers have ended, and logs it."""
  for hidden in sorted(root.glob("*/*/.requests-*.tfrecord")):
    try:
      lock = os.open(hidden, os.O_RDWR)
    except OSError as err:
      _LOG.warning("%s was left unfinished and cannot be read: %s", hidden, err)
      continue
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      count, size = _whole_records(hidden)
      lost = os.path.getsize(hidden) - size
      _finish(hidden, size)
      _LOG.warning(
        "%s was left unfinished: %d records are kept, %d bytes after them are not",
        hidden,
        count,
        lost,
      )
    except BlockingIOError:
      pass  # another server is writing it
    except ERRORS as err:
      _LOG.warning("%s was left unfinished and cannot be completed: %s", hidden, err)
    finally:
      os.close(lock)


def remove_old(root: pathlib.Path, *, before: float, max_bytes: int) -> None:
  """Deletes complete files, the oldest first, and logs it.

  Args:
    root: the folder of the log.
    before: files that were last written before, in seconds since 1970, go; 0.0 takes none.
    max_bytes: what the rest may take; 0 sets no bound.
  """
  found = []
  for path in root.glob("*/*/requests-*.tfrecord*"):  # and those that somebody packed
    with contextlib.suppress(OSError):
      seen = path.stat()
      found.append((seen.st_mtime, seen.st_size, path))
  total, gone = sum(size for _, size, _ in found), 0
  for moment, size, path in sorted(found):
    if moment >= before and (not max_bytes or total <= max_bytes):
      break
    try:
      path.unlink()
    except OSError as err:
      _LOG.warning("%s is old and cannot be deleted: %s", path, err)
      continue
    total, gone = total - size, gone + 1
    with contextlib.suppress(OSError):  # other files are in it
      path.parent.rmdir()
  if gone:
    _LOG.info("%d files of logged requests were deleted: they were old, or too many", gone)


def _finish(hidden: pathlib.Path, size: int) -> None:
  if size:
    os.truncate(hidden, size)
    hidden.rename(hidden.with_name(hidden.name[1:]))
  else:
    hidden.unlink()


def _whole_records(path: pathlib.Path) -> tuple[int, int]:
  """Returns number and bytes of the undamaged records at the start of a file."""
  count = size = 0
  with contextlib.suppress(tf.errors.DataLossError):
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
      count += 1
      size += len(record) + _FRAME_BYTES
  return count, size
