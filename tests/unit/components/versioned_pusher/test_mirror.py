"""What is live is copied to a store, once, and never beside another model of the same number."""

import pytest

from components.versioned_pusher import mirror, stages
from components.versioned_pusher.publish import publish, rollback
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote import publishing, stores
from dlpipe.workspace import TaskFolder

_STORE = "s3://b/models/images"


@pytest.fixture
def folder(tmp_path, write_model):
  """Version 1 is live, and is to be copied."""
  found = TaskFolder(tmp_path / "ws" / "images")
  publish(write_model(tmp_path / "one", "one"), found.serving)
  mirror.remember(found, _STORE)
  return found


def _weights(version_dir):
  return (version_dir / "variables" / "variables.data-00000-of-00001").read_text()


def test_nothing_is_remembered_where_nothing_was_said(tmp_path):
  folder = TaskFolder(tmp_path / "images")
  mirror.remember(folder, None)
  assert not folder.stages.exists()
  assert mirror.copy_live(folder) is None


def test_what_is_live_is_copied_once(bucket, folder, monkeypatch):
  assert mirror.is_missing(folder)
  assert mirror.copy_live(folder) == f"{_STORE}/1"
  assert _weights(bucket / "models/images/1") == "one"
  assert not mirror.is_missing(folder)

  def refused(self, name, content):
    raise AssertionError(name)

  monkeypatch.setattr(stores._Filesystem, "write", refused)
  assert mirror.copy_live(folder) == f"{_STORE}/1"


def test_after_a_rollback_the_store_has_what_is_live(bucket, folder, tmp_path, write_model):
  publish(write_model(tmp_path / "two", "two"), folder.serving)
  mirror.copy_live(folder)
  rollback(folder.serving)
  assert mirror.is_missing(folder)
  assert mirror.copy_live(folder) == f"{_STORE}/3"
  assert _weights(bucket / "models/images/3") == "one"


def test_another_model_under_the_number_stays_and_is_named(bucket, folder, tmp_path, write_model):
  other = TaskFolder(tmp_path / "other" / "images")
  publish(write_model(tmp_path / "ten", "ten"), other.serving)
  mirror.remember(other, _STORE)
  mirror.copy_live(other)
  with pytest.raises(BadInputError, match=r"images/1 holds another model than version 1 here"):
    mirror.copy_live(folder)
  assert _weights(bucket / "models/images/1") == "ten"
  publish(write_model(tmp_path / "eleven", "eleven"), other.serving)
  mirror.copy_live(other)
  with pytest.raises(BadInputError, match=r"holds version 2, and version 1 is live here"):
    mirror.copy_live(folder)


def test_what_is_damaged_is_not_copied(bucket, folder):
  (folder.serving / "1" / "saved_model.pb").write_text("half")
  assert mirror.copy_live(folder) is None
  assert not list(bucket.iterdir())


def test_a_lost_connection_says_what_is_live_and_what_copies_it(bucket, folder, monkeypatch):
  def lost(self, name, content):
    raise OSError("AWS Error NETWORK_CONNECTION during PutObject operation: curlCode: 7")

  with monkeypatch.context() as patch:
    patch.setattr(stores._Filesystem, "write", lost)
    with pytest.raises(DlpipeError, match="Version 1 is live in .*, and is not in the store yet"):
      mirror.copy_live(folder)
  assert publishing.uploaded(f"{_STORE}/1", "dlpipe.json") is None
  mirror.copy_live(folder)
  assert not mirror.is_missing(folder)


def test_the_last_run_says_where_to(bucket, folder):
  mirror.remember(folder, "s3://b/elsewhere")
  assert stages.read(folder).copy_to == "s3://b/elsewhere"
  assert mirror.copy_live(folder) == "s3://b/elsewhere/1"
  mirror.remember(folder, None)
  assert mirror.copy_live(folder) is None
