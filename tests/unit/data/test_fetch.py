"""`fetch` of whole data sets against a real server: complete or absent, one at a time."""

import dataclasses
import hashlib
import io
import json
import shutil
import tarfile
import threading

import pytest

from data.catalog import DataSet, RemoteFile
from data.download import Checksum, DownloadError
from data.fetch import DOWNLOADING, UNPACKING, WAITING, Step, fetch, find


def _archive(**members: bytes) -> bytes:
  buffer = io.BytesIO()
  with tarfile.open(fileobj=buffer, mode="w:gz") as file:
    for name, content in members.items():
      info = tarfile.TarInfo(f"words/{name}.txt")
      info.size = len(content)
      file.addfile(info, io.BytesIO(content))
  return buffer.getvalue()


PACKED = _archive(good=b"fine\n", bad=b"poor\n")
PLAIN = b"good\nbad\n"


def _remote(server, name: str, content: bytes, **changes) -> RemoteFile:
  server.files[f"/{name}"] = content
  return RemoteFile(
    **{
      "name": name,
      "url": f"{server.url}/{name}",
      "checksum": Checksum(algorithm="sha256", digest=hashlib.sha256(content).hexdigest()),
      "size_bytes": len(content),
      **changes,
    }
  )


@pytest.fixture
def words(server) -> DataSet:
  """A set of an archive and a plain file, whose preparation shouts."""

  def shout(folder):
    for file in (folder / "words").iterdir():
      file.write_text(file.read_text().upper())

  return DataSet(
    name="words",
    task="sentiment",
    title="two words",
    licence="none",
    source="this test",
    files=(_remote(server, "words.tar.gz", PACKED), _remote(server, "labels.txt", PLAIN)),
    room_bytes=1000,
    data_path="words",
    prepare=shout,
    expects=("words/good.txt", "labels.txt"),
  )


def _run(words, parent, **options):
  return fetch(words, parent, **{"attempts": 2, "first_wait_s": 0.001, **options})


def test_a_set_is_unpacked_prepared_and_alone_in_its_folder(words, server, tmp_path):
  parent = tmp_path / "a" / "b"
  steps: list[Step] = []
  found = _run(words, parent, on_step=steps.append)
  assert found.is_new
  assert found.folder == parent / "words"
  assert found.data_path == parent / "words" / "words"
  assert (found.data_path / "good.txt").read_text() == "FINE\n"
  assert (found.folder / "labels.txt").read_bytes() == PLAIN
  assert found.sha256 == {f.name: f.checksum.digest for f in words.files}
  assert sorted(p.name for p in parent.iterdir()) == [".words.lock", "words"]
  assert [s.stage for s in steps if s.done == s.total or s.stage != DOWNLOADING] == [
    DOWNLOADING,
    DOWNLOADING,
    UNPACKING,
  ]


def test_a_set_that_is_there_is_left_as_it_is(words, server, tmp_path):
  _run(words, tmp_path)
  (tmp_path / "words" / "mine.txt").write_text("kept")
  server.asked.clear()
  again = _run(words, tmp_path)
  assert not again.is_new
  assert server.asked == []
  assert (tmp_path / "words" / "mine.txt").read_text() == "kept"


def test_find_tells_without_fetching(words, server, tmp_path):
  assert find(words, tmp_path) is None
  _run(words, tmp_path)
  assert find(words, tmp_path).data_path == tmp_path / "words" / "words"
  record = json.loads((tmp_path / "words" / ".dlpipe.json").read_text())
  assert record["files"][1] == {
    "name": "labels.txt",
    "url": f"{server.url}/labels.txt",
    "size_bytes": len(PLAIN),
    "sha256": hashlib.sha256(PLAIN).hexdigest(),
  }


def test_a_folder_of_somebody_else_is_not_touched(words, tmp_path):
  (tmp_path / "words").mkdir()
  with pytest.raises(DownloadError, match="exists and was not fetched by this command"):
    _run(words, tmp_path)
  assert list((tmp_path / "words").iterdir()) == []


def test_a_set_of_which_one_file_fails_is_absent_and_goes_on_from_there(words, server, tmp_path):
  server.files["/labels.txt"] = b"bad\ngood\n"
  with pytest.raises(DownloadError, match="is not the published one"):
    _run(words, tmp_path)
  assert not (tmp_path / "words").exists()
  server.files["/labels.txt"] = PLAIN
  server.asked.clear()
  assert _run(words, tmp_path).is_new
  assert [path for path, _, _ in server.asked] == ["/labels.txt"]


@pytest.mark.parametrize(
  ("packed", "message"),
  [
    (b"no archive", "words.tar.gz is damaged"),
    (_archive(**{"../../../evil": b"x"}), "would write to 'words/../../../evil.txt'"),
    (_archive(bad=b"poor"), "was fetched, but holds no words/good.txt"),
  ],
)
def test_an_archive_that_is_not_as_expected_leaves_no_set(words, server, tmp_path, packed, message):
  files = (_remote(server, "words.tar.gz", packed), words.files[1])
  with pytest.raises(DownloadError, match=message):
    _run(dataclasses.replace(words, files=files), tmp_path)
  assert not (tmp_path / "words").exists()
  assert not (tmp_path / "evil.txt").exists()


def test_a_mirror_is_asked_instead_and_must_have_the_same_bytes(words, server, tmp_path):
  for path in ("/words.tar.gz", "/labels.txt"):
    server.files[f"/mirror/words{path}"] = server.files.pop(path)
  mirror = f"{server.url}/mirror/"
  assert _run(words, tmp_path / "a", mirror=mirror).is_new
  assert [path for path, _, _ in server.asked] == [
    "/mirror/words/words.tar.gz",
    "/mirror/words/labels.txt",
  ]
  server.files["/mirror/words/labels.txt"] = b"bad\ngood\n"
  with pytest.raises(DownloadError, match="is not the published one"):
    _run(words, tmp_path / "b", mirror=mirror)


def test_a_disk_without_room_is_told_before_anything_is_asked_for(words, server, tmp_path):
  much = dataclasses.replace(words, room_bytes=shutil.disk_usage(tmp_path).total * 2)
  with pytest.raises(DownloadError, match="words needs about .* MB more in .*, where .* are free"):
    _run(much, tmp_path)
  assert server.asked == []


def test_of_two_fetches_one_works_and_one_waits(words, server, tmp_path):
  stages, results = [], []
  waits = threading.Event()

  def second_step(step):
    stages.append(step.stage)
    waits.set()

  second = threading.Thread(
    target=lambda: results.append(_run(words, tmp_path, on_step=second_step))
  )

  def start_second():
    server.on_request = None
    second.start()
    assert waits.wait(120)

  server.on_request = start_second
  assert _run(words, tmp_path).is_new
  second.join(120)
  assert stages == [WAITING]
  assert [r.is_new for r in results] == [False]
  assert len(server.asked) == 2
