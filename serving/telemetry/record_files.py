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
# Errors of writing, reading and renaming on a disk that is full or lost.
ERRORS = (OSError, tf.errors.OpError)
_numbers = itertools.count(1)


class RecordFile:
  """A file that is being written.

  Attributes:
    opened_at: seconds on the monotonic clock.
    size: bytes of the whole records in it.
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
    fcntl.flock(self._lock, fcntl.LOCK_EX)
    self._writer = tf.io.TFRecordWriter(str(self._hidden))
    self.opened_at = time.monotonic()
    self.size = 0

  def write(self, record: bytes) -> None:
    """Writes a record through to the file.

    Raises:
      OSError, tf.errors.OpError: a part of it may be in the file. Only `complete` may follow.
    """
    self._writer.write(record)
    self._writer.flush()
    self.size += len(record) + _FRAME_BYTES

  def complete(self) -> None:
    """Gives the file its name, or deletes it if it has no whole record.

    Raises:
      OSError: it cannot be cut or renamed.
    """
    try:
      with contextlib.suppress(*ERRORS):  # closing tries once more to write the rest
        self._writer.close()
      _finish(self._hidden, self.size)
    finally:
      os.close(self._lock)


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


def _finish(hidden: pathlib.Path, size: int) -> None:
  if size:
    os.truncate(hidden, size)
    hidden.rename(hidden.with_name(hidden.name[1:]))
  else:
    hidden.unlink()


def _whole_records(path: pathlib.Path) -> tuple[int, int]:
  """Number and bytes of the undamaged records at the start of a file."""
  count = size = 0
  with contextlib.suppress(tf.errors.DataLossError):
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
      count += 1
      size += len(record) + _FRAME_BYTES
  return count, size
