"""Copies of what a store holds: one state each, only what is new is read again."""

import os
import pathlib

import pytest

from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote import copying, stores


@pytest.fixture
def read(bucket, monkeypatch):
  """The names of the files that were read from the store."""
  names = []
  opened = stores._Filesystem.open

  def noted(self, item):
    names.append(item.name)
    return opened(self, item)

  monkeypatch.setattr(stores._Filesystem, "open", noted)
  return names


def _put(root, name, content="x", changed=1_000_000):
  path = root / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(content)
  os.utime(path, (changed, changed))


def test_a_local_path_is_left_alone(tmp_path):
  assert copying.local("/data/a", tmp_path / "copies") == "/data/a"
  assert not (tmp_path / "copies").exists()


def test_a_folder_is_copied_with_its_times(bucket, tmp_path):
  _put(bucket, "pics/cat/1.png", "cat", changed=1_500_000_000)
  _put(bucket, "pics/dog/2.png", "dog")
  copy = pathlib.Path(copying.local("s3://b/pics/", tmp_path / "copies"))
  assert copy.name == "pics"
  assert sorted(str(p.relative_to(copy)) for p in copy.rglob("*.png")) == ["cat/1.png", "dog/2.png"]
  assert (copy / "cat" / "1.png").read_text() == "cat"
  assert (copy / "cat" / "1.png").stat().st_mtime == 1_500_000_000


def test_only_what_is_new_is_read_again_and_the_copy_before_stays(bucket, read, tmp_path):
  _put(bucket, "pics/a")
  _put(bucket, "pics/b")
  first = copying.local("s3://b/pics", tmp_path / "copies")
  assert copying.local("s3://b/pics", tmp_path / "copies") == first
  assert sorted(read) == ["a", "b"]
  _put(bucket, "pics/b", "longer")
  _put(bucket, "pics/c")
  second = copying.local("s3://b/pics", tmp_path / "copies")
  assert sorted(read[2:]) == ["b", "c"]
  assert pathlib.Path(second, "b").read_text() == "longer"
  # A run that reads the first copy goes on undisturbed.
  assert pathlib.Path(first, "b").read_text() == "x"
  (bucket / "pics" / "a").unlink()
  third = copying.local("s3://b/pics", tmp_path / "copies")
  assert sorted(os.listdir(third)) == ["b", "c"]
  assert not pathlib.Path(first).exists()
  assert pathlib.Path(second).exists()


def test_a_file_and_a_common_beginning_are_found(bucket, tmp_path):
  for name in ("corpus/train.en", "corpus/train.de", "corpus/trainer.txt"):
    _put(bucket, name)
  file = copying.local("s3://b/corpus/train.en", tmp_path / "copies")
  assert os.listdir(os.path.dirname(file)) == ["train.en"]
  prefix = copying.local("s3://b/corpus/train", tmp_path / "copies")
  assert sorted(os.listdir(os.path.dirname(prefix))) == ["train.de", "train.en"]
  assert os.path.basename(prefix) == "train"


def test_an_address_with_nothing_there_is_refused_and_leaves_nothing(bucket, tmp_path):
  for address in ("s3://b/nothing", "s3://b/pics/none.csv"):
    with pytest.raises(BadInputError, match=f"There is nothing at {address}"):
      copying.local(address, tmp_path / "copies")
  assert not (tmp_path / "copies").exists()


def test_a_connection_that_is_lost_leaves_no_half_copy(bucket, read, tmp_path, monkeypatch):
  _put(bucket, "pics/a")
  _put(bucket, "pics/b")
  opened = stores._Filesystem.open

  def broken(self, item):
    if item.name == "b":
      raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 7")
    return opened(self, item)

  with monkeypatch.context() as patch:
    patch.setattr(stores._Filesystem, "open", broken)
    with pytest.raises(DlpipeError, match="the connection failed, or was lost") as lost:
      copying.local("s3://b/pics", tmp_path / "copies")
  assert lost.value.exit_code == 1
  [own] = (tmp_path / "copies").iterdir()
  assert not [path for path in own.iterdir() if not path.name.startswith(".")]
  read.clear()
  assert sorted(os.listdir(copying.local("s3://b/pics", tmp_path / "copies"))) == ["a", "b"]
  assert read == ["b"]  # it goes on where it was cut


def test_a_file_that_changes_meanwhile_is_no_copy(bucket, tmp_path, monkeypatch):
  _put(bucket, "a.csv", "x")
  fetch = copying._fetch

  def changing(store, item, path):
    _put(bucket, "a.csv", "longer")
    fetch(store, item, path)

  monkeypatch.setattr(copying, "_fetch", changing)
  with pytest.raises(DlpipeError, match=r"has 6 bytes, and 1 were listed"):
    copying.local("s3://b/a.csv", tmp_path / "copies")


def test_a_file_that_changes_and_stays_as_long_is_no_copy(bucket, tmp_path, monkeypatch):
  _put(bucket, "pics/a", "old", changed=1_000_000)
  _put(bucket, "pics/b", "old", changed=1_000_000)
  fetch = copying._fetch

  def changing(store, item, path):
    fetch(store, item, path)
    _put(bucket, "pics/b", "new", changed=2_000_000)

  with monkeypatch.context() as patch:
    patch.setattr(copying, "_fetch", changing)
    with pytest.raises(DlpipeError, match=r"1 files changed while .* b/pics/b\. Run again"):
      copying.local("s3://b/pics", tmp_path / "copies")
  copy = copying.local("s3://b/pics", tmp_path / "copies")
  assert pathlib.Path(copy, "b").read_text() == "new"


def test_after_a_lost_connection_no_other_file_is_asked_for(bucket, tmp_path, monkeypatch):
  for number in range(200):
    _put(bucket, f"pics/{number}")
  asked = []

  def broken(self, item):
    asked.append(item.name)
    raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 7")

  monkeypatch.setattr(stores._Filesystem, "open", broken)
  monkeypatch.setattr(copying, "_SIDE_BY_SIDE", 1)
  with pytest.raises(DlpipeError, match="the connection failed, or was lost"):
    copying.local("s3://b/pics", tmp_path / "copies")
  assert len(asked) == 1


@pytest.mark.parametrize(
  ("said", "kind", "message"),
  [
    ("AWS Error ACCESS_DENIED during HeadObject operation", BadInputError, "these credentials"),
    ("InvalidAccessKeyId: The AWS Access Key Id", BadInputError, "AWS_ACCESS_KEY_ID and"),
    ("Could not create a OAuth2 access token to authenticate", BadInputError, "these credentials"),
    ("AWS Error NO_SUCH_BUCKET during ListObjectsV2", BadInputError, "no such bucket"),
    ("AWS Error UNKNOWN (HTTP status 503)", DlpipeError, "in trouble.* AWS_SECRET_ACCESS_KEY"),
    ("AWS Error NETWORK_CONNECTION: curlCode: 7", DlpipeError, "connection failed, or was lost"),
  ],
)
def test_what_a_store_says_is_one_sentence(said, kind, message):
  with pytest.raises(DlpipeError, match=message) as told, stores.failures_of("s3://b/a"):
    raise OSError(said)
  assert type(told.value) is kind
  assert "\n" not in str(told.value)


def test_a_full_disk_is_not_blamed_on_the_store():
  full = OSError(28, "No space left on device")
  with pytest.raises(OSError, match="No space left") as raised, stores.failures_of("s3://b/a"):
    raise full
  assert raised.value is full


@pytest.mark.parametrize("address", ["s3://", "gs:///folder", "https://host/"])
def test_an_address_that_names_nothing_is_refused(address, tmp_path):
  with pytest.raises(BadInputError, match="names no"):
    copying.local(address, tmp_path)


def test_an_error_about_a_copy_names_the_address(tmp_path):
  with (
    pytest.raises(BadInputError, match=r"^Nothing at 's3://b/a/cat'\.$"),
    copying.named("s3://b/a/", "/ws/copies/1/2/a"),
  ):
    raise BadInputError("Nothing at '/ws/copies/1/2/a/cat'.")
