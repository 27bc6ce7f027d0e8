"""What lies behind wrapped exceptions."""

import errno
import sys

import pytest

from dlpipe.causes import is_interrupt, user_error
from dlpipe.errors import BadInputError, BusyError, DataRefusedError


def _raised(*errors, cause):
  """The last of these errors, each raised out of the one before."""
  caught = None
  for error in errors:
    try:
      if cause:
        raise error from caught
      try:
        if caught is not None:
          raise caught
      finally:
        raise error
    except (Exception, KeyboardInterrupt) as err:
      caught = err
  return caught


@pytest.mark.parametrize("cause", [True, False], ids=["from", "while handling"])
def test_the_error_of_ours_is_found_behind_what_wraps_it(cause):
  ours = DataRefusedError("too few")
  found = _raised(ours, RuntimeError("beam"), ValueError("tfx"), cause=cause)
  assert isinstance(found, ValueError)
  assert user_error(found) is ours
  assert user_error(ours) is ours


def test_a_locked_metadata_store_is_worth_trying_again():
  found = user_error(_raised(RuntimeError("Error: database is locked"), ValueError(), cause=True))
  assert isinstance(found, BusyError)
  assert found.exit_code == 75


def test_the_outermost_of_ours_counts():
  outer = BadInputError("outer")
  assert user_error(_raised(DataRefusedError("inner"), outer, cause=True)) is outer


@pytest.mark.parametrize("after", ["", " [while running 'Read']\n", "\n\nDuring handling of the"])
def test_the_error_of_a_worker_elsewhere_is_read_from_its_traceback(after):
  traceback = f"  File x, line 1\ndlpipe.errors.DataRefusedError: row 3\nMend it.{after}"
  found = user_error(RuntimeError(f"Pipeline failed: java.lang.RuntimeException: {traceback}"))
  assert type(found) is DataRefusedError
  assert str(found) == "row 3\nMend it."


def test_without_one_of_ours_there_is_none():
  assert user_error(None) is None
  assert user_error(_raised(KeyError("a"), ValueError("b"), cause=True)) is None


def test_errors_in_a_circle_end():
  first, second = ValueError("a"), ValueError("b")
  first.__cause__, second.__cause__ = second, first
  assert user_error(first) is None


@pytest.mark.parametrize(
  ("error", "expected"),
  [
    (KeyboardInterrupt(), True),
    (RuntimeError("KeyboardInterrupt [while running 'Read']"), True),
    (_raised(KeyboardInterrupt(), RuntimeError("beam"), cause=True), True),
    (RuntimeError("a KeyboardInterrupt was not what ended it"), False),
    (None, False),
  ],
)
def test_interrupts_are_known_by_type_and_by_name(error, expected):
  assert is_interrupt(error) is expected


@pytest.mark.parametrize(
  "error",
  [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    RuntimeError("UnknownError: /w/file; Disk quota exceeded"),
    RuntimeError("ResourceExhaustedError: /w/file; No space left on device [while running 'Read']"),
    RuntimeError("mysql: database or disk is full query: INSERT INTO `Event`"),
  ],
)
def test_a_full_disk_is_said_in_words(error):
  found = user_error(_raised(error, ValueError("outer"), cause=True))
  assert "no space is left on a disk" in str(found)
  assert user_error(OSError(errno.EACCES, "Permission denied")) is None


def test_a_module_of_the_user_that_a_name_of_ours_hides_is_bad_input(tmp_path, monkeypatch):
  (tmp_path / "data").mkdir()
  (tmp_path / "data" / "loaders.py").touch()
  monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
  error = ModuleNotFoundError("No module named 'data.loaders'", name="data.loaders")
  found = user_error(_raised(error, RuntimeError("beam"), cause=True))
  assert isinstance(found, BadInputError)
  assert str(tmp_path / "data" / "loaders.py") in str(found)
  assert user_error(ModuleNotFoundError("No module named 'data.x'", name="data.x")) is None
