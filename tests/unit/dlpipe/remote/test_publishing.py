"""Folders that are copied to a store: whole when their mark is there."""

import pytest

from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote import publishing, stores

_ADDRESS = "s3://b/models/images/7"


@pytest.fixture
def version(tmp_path):
  for name in ("saved_model.pb", "variables/variables.index", "assets.extra/a"):
    path = tmp_path / "7" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
  return tmp_path / "7"


@pytest.fixture
def written(bucket, monkeypatch):
  """The names of what was written, in order."""
  names = []
  write = stores._Filesystem.write

  def noted(self, name, content):
    names.append(name)
    write(self, name, content)

  monkeypatch.setattr(stores._Filesystem, "write", noted)
  return names


def test_a_version_is_written_with_its_mark_last(bucket, version, written):
  publishing.publish(version, _ADDRESS)
  assert written[-2:] == ["saved_model.pb", "UPLOADED"]
  found = bucket / "models/images/7"
  assert (found / "variables/variables.index").read_text().startswith("variables")
  assert (found / "UPLOADED").read_bytes() == b""


def test_what_was_uploaded_whole_is_told_from_a_part(bucket, version, monkeypatch):
  assert publishing.uploaded(_ADDRESS, "saved_model.pb") is None
  write = stores._Filesystem.write

  def lost(self, name, content):
    if name == "saved_model.pb":
      raise OSError("AWS Error NETWORK_CONNECTION during UploadPart operation: curlCode: 56")
    write(self, name, content)

  with monkeypatch.context() as patch:
    patch.setattr(stores._Filesystem, "write", lost)
    with pytest.raises(DlpipeError, match=r"images/7 cannot be written: the connection failed"):
      publishing.publish(version, _ADDRESS)
  assert (bucket / "models/images/7/assets.extra/a").exists()
  assert publishing.uploaded(_ADDRESS, "saved_model.pb") is None
  publishing.publish(version, _ADDRESS)
  assert publishing.uploaded(_ADDRESS, "saved_model.pb") == b"saved_model.pb"
  assert publishing.uploaded(_ADDRESS, "dlpipe.json") == b""


def test_folders_are_those_right_below(bucket, version):
  assert publishing.folders("s3://b/models/images") == []
  publishing.publish(version, _ADDRESS)
  assert publishing.folders("s3://b/models/images/") == ["7"]


def test_a_store_that_may_only_be_read_is_found_before_anything_is_copied(bucket, monkeypatch):
  publishing.require_writable("s3://b/models")
  assert [path.name for path in (bucket / "models").iterdir()] == [".writable"]

  def refused(self, name, content):
    raise OSError("AWS Error ACCESS_DENIED during PutObject operation: User is not authorized")

  monkeypatch.setattr(stores._Filesystem, "write", refused)
  with pytest.raises(BadInputError, match=r"s3://b/models cannot be written: the store refuses"):
    publishing.require_writable("s3://b/models")
