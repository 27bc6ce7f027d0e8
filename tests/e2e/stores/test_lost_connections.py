"""A connection that is lost on the way, and a store that may only be read: nothing is half."""

from __future__ import annotations

import os

import pytest

from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote import copying, publishing, stores

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

_KB, _FILES = 1 << 10, 40


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
  """Clients in this process take a lost connection for one at once."""
  monkeypatch.setattr(stores, "_ATTEMPTS", 1)


@pytest.fixture
def folder(tmp_path):
  """Files of a megabyte in all, and one that is larger than a part of an upload."""
  found = tmp_path / "in"
  found.mkdir()
  for number in range(_FILES):
    (found / f"{number}.bin").write_bytes(os.urandom(32 * _KB))
  return found


def test_a_connection_lost_in_the_middle_of_reading(folder, put, wire, tmp_path, monkeypatch):
  put(folder, "s3://data/lost")
  read = []
  fetch = copying._fetch

  def noted(store, item, path):
    fetch(store, item, path)
    read.append(item.name)

  monkeypatch.setattr(copying, "_fetch", noted)
  wire.left = 600 * _KB
  with pytest.raises(DlpipeError, match="s3://data/lost cannot be read: the connection") as lost:
    copying.local("s3://data/lost", tmp_path / "copies")
  assert type(lost.value) is DlpipeError
  assert not list((tmp_path / "copies").glob("*/[!.]*"))
  before = len(read)
  assert 0 < before < _FILES

  wire.left = None
  copy = copying.local("s3://data/lost", tmp_path / "copies")
  assert len(read) == _FILES, "what was read whole is not read again"
  for path in folder.iterdir():
    with open(os.path.join(copy, path.name), "rb") as file:
      assert file.read() == path.read_bytes()


def test_a_connection_lost_in_the_middle_of_publishing(folder, wire, monkeypatch):
  (folder / "saved_model.pb").write_bytes(os.urandom(12 << 20))
  wire.left = 8 << 20
  lost = pytest.raises(DlpipeError, match="s3://data/models/7 cannot be written: the connection")
  with monkeypatch.context() as patch, lost:
    patch.setattr(stores, "_REQUEST_S", 5)  # which it waits for an answer about what was cut
    publishing.publish(folder, "s3://data/models/7")
  wire.left = None
  assert publishing.uploaded("s3://data/models/7", "saved_model.pb") is None
  publishing.publish(folder, "s3://data/models/7")
  whole = (folder / "saved_model.pb").read_bytes()
  assert publishing.uploaded("s3://data/models/7", "saved_model.pb") == whole


def test_a_store_that_may_only_be_read_is_refused_before_the_run(
  s3, monkeypatch, write_digits, run_dlpipe, tmp_path
):
  for name, value in {**s3.variables, **s3.may_read}.items():
    monkeypatch.setenv(name, value)
  assert publishing.folders("s3://data") is not None
  digits = write_digits(tmp_path / "digits", [0, 1] * 20)
  for address, message in (
    ("s3://data/mine", "s3://data/mine cannot be written: the store refuses these credentials"),
    ("s3://no-such-bucket/mine", "s3://no-such-bucket/mine cannot be written:"),
  ):
    done = run_dlpipe(
      *("run", "images", "--tiny", "--data", digits, "--workspace", tmp_path / "ws"),
      *("--set", f"push.copy_to={address}"),
    )
    assert done.code == BadInputError.exit_code, done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert message in sentence
    assert not (tmp_path / "ws" / "images" / "metadata.db").exists()
