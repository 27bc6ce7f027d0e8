"""A file is there whole or not at all, whatever happens meanwhile."""

import doctest
import errno
import os
import pathlib
import signal
import stat
import subprocess
import sys

import pytest

from dlpipe.disk import whole_files
from dlpipe.disk.whole_files import FOR_OTHERS, write_whole

_ROOT = pathlib.Path(__file__).resolve().parents[4]


def test_the_example(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert doctest.testmod(whole_files) == (0, 2)


@pytest.mark.parametrize("content", ["né\r\n", b"\x00\xff"])
def test_what_is_written_is_read(tmp_path, content):
  write_whole(tmp_path / "new" / "record", content)
  expected = content.encode() if isinstance(content, str) else content
  assert (tmp_path / "new" / "record").read_bytes() == expected


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, step):
  path = tmp_path / "record.json"
  write_whole(path, "before")

  def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(os, step, full)
  with pytest.raises(OSError, match="No space left"):
    write_whole(path, "after")
  assert path.read_text() == "before"
  assert os.listdir(tmp_path) == ["record.json"]


def test_it_is_on_the_disk_before_it_has_its_name_which_no_pattern_takes(tmp_path, monkeypatch):
  path, done = tmp_path / "record.json", []
  fsync, replace = os.fsync, os.replace

  def synced(handle):
    [name] = os.listdir(tmp_path)
    assert list(tmp_path.glob("*.json")) == []
    assert pathlib.Path(tmp_path, name).read_text() == "all of it"
    done.append("fsync")
    fsync(handle)

  def named(source, target):
    done.append("replace")
    replace(source, target)

  monkeypatch.setattr(os, "fsync", synced)
  monkeypatch.setattr(os, "replace", named)
  write_whole(path, "all of it")
  assert done == ["fsync", "replace"]


_KILLED = """
import os, signal
from dlpipe.disk.whole_files import write_whole

os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
write_whole("record.json", "all of it")
"""


def test_what_a_killed_process_left_is_found(tmp_path):
  (tmp_path / "record.json").write_text("before")
  (tmp_path / ".hidden").write_text("of somebody else")
  done = subprocess.run(
    [sys.executable, "-c", _KILLED],
    cwd=tmp_path,
    env={"PYTHONPATH": str(_ROOT)},
    check=False,
    timeout=120,
  )
  assert done.returncode == -signal.SIGKILL
  assert (tmp_path / "record.json").read_text() == "before"
  [left] = whole_files.leftovers(tmp_path)
  assert left.read_bytes() == b"all of it"


@pytest.mark.parametrize(("mode", "found"), [(None, 0o600), (FOR_OTHERS, 0o644)])
def test_who_may_read_it_is_the_umask_s_affair_unless_it_is_for_others(tmp_path, mode, found):
  before = os.umask(0o077)
  try:
    write_whole(tmp_path / "record", "", mode=mode)
  finally:
    os.umask(before)
  assert stat.S_IMODE((tmp_path / "record").stat().st_mode) == found
