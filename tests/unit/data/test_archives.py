"""`unpack`: what it writes, and what it refuses to write."""

import io
import tarfile
import zipfile

import pytest

from data.archives import ArchiveError, is_archive, unpack


@pytest.fixture
def target(tmp_path):
  (tmp_path / "target").mkdir()
  return tmp_path / "target"


def _tar(path, members):
  with tarfile.open(path, "w:gz") as file:
    for member, content in members:
      info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
      info.size = len(content)
      file.addfile(info, io.BytesIO(content))
  return path


def _zip(path, members):
  with zipfile.ZipFile(path, "w") as file:
    for member, content in members:
      file.writestr(member, content)
  return path


def _files(folder):
  return {
    p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
  }


@pytest.mark.parametrize(("pack", "name"), [(_tar, "a.tar.gz"), (_zip, "a.zip")])
def test_files_are_written_with_their_folders(tmp_path, target, pack, name):
  archive = pack(tmp_path / name, [("a/b/one.txt", b"1"), ("./two.txt", b"2"), ("a/._one", b"x")])
  unpack(archive, target)
  assert _files(target) == {"a/b/one.txt": b"1", "two.txt": b"2"}


def test_only_what_is_asked_for_is_written(tmp_path, target):
  members = [("x/train/pos/1.txt", b"1"), ("x/train/unsup/2.txt", b"2"), ("x/README", b"r")]
  unpack(_tar(tmp_path / "a.tar.gz", members), target, keep=("x/t*/pos/*.txt", "x/README"))
  assert _files(target) == {"x/train/pos/1.txt": b"1", "x/README": b"r"}


@pytest.mark.parametrize(("pack", "name"), [(_tar, "a.tar.gz"), (_zip, "a.zip")])
@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/tmp/evil", "a\\..\\evil"])
def test_paths_that_lead_out_are_refused_even_if_not_asked_for(tmp_path, target, pack, name, path):
  archive = pack(tmp_path / name, [(path, b"evil")])
  with pytest.raises(ArchiveError, match="would write to .* outside of its folder; refused"):
    unpack(archive, target, keep=("nothing",))
  assert _files(tmp_path) == {name: archive.read_bytes()}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_refused(tmp_path, target, kind):
  info = tarfile.TarInfo("link")
  info.type, info.linkname = kind, "/etc/hosts"
  with pytest.raises(ArchiveError, match="'link', a link or device; refused"):
    unpack(_tar(tmp_path / "a.tar.gz", [(info, b"")]), target)
  assert list(target.iterdir()) == []


def test_links_of_a_zip_are_refused(tmp_path, target):
  info = zipfile.ZipInfo("link")
  info.external_attr = 0o120777 << 16
  with pytest.raises(ArchiveError, match="'link', a link; refused"):
    unpack(_zip(tmp_path / "a.zip", [(info, "/etc/hosts")]), target)
  assert list(target.iterdir()) == []


def test_a_bomb_is_stopped(tmp_path, target):
  archive = _tar(tmp_path / "a.tar.gz", [("zeros", bytes(3 << 20))])
  with pytest.raises(ArchiveError, match="unpacks to more than 1,000,000 bytes"):
    unpack(archive, target, max_bytes=1_000_000)


@pytest.mark.parametrize(("pack", "name"), [(_tar, "a.tar.gz"), (_zip, "a.zip")])
def test_a_damaged_archive_is_told(tmp_path, target, pack, name):
  archive = pack(tmp_path / name, [("one.txt", bytes(range(256)) * 1000)])
  archive.write_bytes(archive.read_bytes()[:-600])
  with pytest.raises(ArchiveError, match=f"{name} is damaged: "):
    unpack(archive, target)


def test_archives_are_known_by_name():
  names = ["a.tar.gz", "a.tgz", "a.zip", "train-images-idx3-ubyte.gz", "a.csv"]
  assert [is_archive(name) for name in names] == [True, True, True, False, False]
