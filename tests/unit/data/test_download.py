"""`download` against a real server that breaks, cuts off, changes and lies."""

import hashlib
import itertools
import json
import random

import pytest

from data.download import Checksum, DownloadError, download

CONTENT = random.Random(1).randbytes(1_000_000)
OTHER = random.Random(2).randbytes(1_000_000)


def _sha256(content: bytes) -> Checksum:
  return Checksum(algorithm="sha256", digest=hashlib.sha256(content).hexdigest())


@pytest.fixture
def target(tmp_path):
  return tmp_path / "set.bin"


@pytest.fixture
def get(server, target):
  """Returns a function that downloads `/set.bin`, quickly impatient."""
  server.files["/set.bin"] = CONTENT

  def run(path="/set.bin", **options):
    download(
      server.url + path,
      target,
      **{"checksum": _sha256(CONTENT), "attempts": 3, "first_wait_s": 0.001, **options},
    )

  return run


def _nothing_is_left(target):
  return list(target.parent.iterdir()) == []


def test_a_good_file_arrives_whole_and_alone(get, server, target):
  seen = []
  get(size_bytes=len(CONTENT), on_bytes=lambda done, total: seen.append((done, total)))
  assert target.read_bytes() == CONTENT
  assert list(target.parent.iterdir()) == [target]
  assert seen[0] == (0, len(CONTENT))
  assert seen[-1] == (len(CONTENT), len(CONTENT))
  assert all(a < b for (a, _), (b, _) in itertools.pairwise(seen))
  assert server.asked == [("/set.bin", None, None)]


def test_a_file_that_is_there_is_not_asked_for_again(get, server, target):
  target.write_bytes(CONTENT)
  get()
  assert server.asked == []


def test_a_file_of_that_name_with_other_content_is_replaced(get, server, target):
  target.write_bytes(OTHER)
  get()
  assert target.read_bytes() == CONTENT


def test_a_connection_that_breaks_is_taken_up_where_it_was(get, server, target):
  server.faults = ["break:300000", "break:200000"]
  get()
  assert target.read_bytes() == CONTENT
  assert server.asked == [
    ("/set.bin", None, None),
    ("/set.bin", "bytes=300000-", '"one"'),
    ("/set.bin", "bytes=500000-", '"one"'),
  ]
  assert server.sent == [300_000, 200_000, 500_000]


def test_what_a_call_that_gave_up_has_left_is_used_by_the_next(get, server, target):
  server.faults = ["break:400000", 503, 503, 503]
  with pytest.raises(DownloadError, match="503.*Tried 3 times in a row. 400,000 bytes are kept"):
    get()
  assert not target.exists()
  server.asked.clear()
  server.sent.clear()
  get()
  assert server.asked == [("/set.bin", "bytes=400000-", '"one"')]
  assert server.sent == [600_000]
  assert target.read_bytes() == CONTENT


def test_an_interrupt_leaves_the_part_for_the_next_call(get, server, target):
  def interrupt(done, total):
    if done:
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    get(on_bytes=interrupt)
  kept = (target.parent / "set.bin.part").stat().st_size
  assert 0 < kept < len(CONTENT)
  assert not target.exists()
  get()
  assert server.asked[-1] == ("/set.bin", f"bytes={kept}-", '"one"')
  assert target.read_bytes() == CONTENT


def test_a_server_that_always_cuts_off_is_refused(get, server, target):
  server.has_ranges = False
  server.faults = ["break:1000"] * 10
  with pytest.raises(DownloadError, match="ended after 1,000 of 1,000,000 bytes. Tried 3 times"):
    get()
  assert not target.exists()
  assert len(server.asked) == 4  # the first brought something new, the next three did not


def test_a_file_cut_off_on_the_server_is_refused_before_it_is_read(get, server, target):
  server.files["/set.bin"] = CONTENT[:-1]
  with pytest.raises(DownloadError, match="has 999,999 bytes; the published one has 1,000,000"):
    get(size_bytes=len(CONTENT))
  assert _nothing_is_left(target)


def test_a_file_that_was_tampered_with_is_refused_and_deleted(get, server, target):
  server.files["/set.bin"] = OTHER
  with pytest.raises(DownloadError, match="is not the published one") as refused:
    get(size_bytes=len(CONTENT))
  assert f"expected SHA256 {_sha256(CONTENT).digest}" in str(refused.value)
  assert f"received SHA256 {_sha256(OTHER).digest}" in str(refused.value)
  assert _nothing_is_left(target)
  assert len(server.asked) == 1


def test_a_server_without_ranges_sends_it_from_the_beginning(get, server, target):
  server.has_ranges = False
  server.faults = ["break:300000"]
  get()
  assert server.sent == [300_000, 1_000_000]
  assert target.read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_taken_from_the_beginning(get, server, target):
  server.files["/set.bin"] = OTHER
  server.faults = ["break:300000", 503, 503, 503]
  with pytest.raises(DownloadError):
    get()
  server.files["/set.bin"], server.etag = CONTENT, '"two"'
  server.asked.clear()
  get()
  assert server.asked == [("/set.bin", "bytes=300000-", '"one"')]
  assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_parts_of_two_files_are_noticed_and_fetched_in_one_piece(get, server, target, etag):
  # Without a strong validator nobody can tell the server which file the part is of.
  server.files["/set.bin"], server.etag = OTHER, etag
  server.faults = ["break:300000", 503, 503, 503]
  with pytest.raises(DownloadError):
    get()
  server.files["/set.bin"] = CONTENT
  server.asked.clear()
  get()
  assert server.asked == [("/set.bin", "bytes=300000-", None), ("/set.bin", None, None)]
  assert target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_dropped(get, server, target):
  (target.parent / "set.bin.part").write_bytes(OTHER + b"more")
  get()
  assert [wanted for _, wanted, _ in server.asked] == ["bytes=1000004-", None]
  assert target.read_bytes() == CONTENT


def test_a_state_file_cut_off_by_a_kill_does_no_harm(get, server, target):
  (target.parent / "set.bin.part").write_bytes(CONTENT[:10])
  (target.parent / "set.bin.part.json").write_text('{"url": "ht')
  get()
  assert server.asked == [("/set.bin", "bytes=10-", None)]
  assert target.read_bytes() == CONTENT


def test_the_state_names_the_url_and_the_tag(get, server, target):
  server.faults = ["break:10", 503, 503, 503]
  with pytest.raises(DownloadError):
    get()
  state = json.loads((target.parent / "set.bin.part.json").read_text())
  assert state == {"url": f"{server.url}/set.bin", "validator": '"one"'}


def test_redirects_are_followed_and_keep_the_range(get, server, target):
  server.redirects = {"/old": "/new", "/new": "/set.bin"}
  (target.parent / "set.bin.part").write_bytes(CONTENT[:10])
  get("/old")
  assert [path for path, _, _ in server.asked] == ["/old", "/new", "/set.bin"]
  assert server.asked[-1][1] == "bytes=10-"
  assert target.read_bytes() == CONTENT


def test_a_file_that_is_not_there_is_told_at_once(get, server, target):
  with pytest.raises(DownloadError, match="HTTP 404 Not Found. It may have moved"):
    get("/absent")
  assert len(server.asked) == 1
  assert _nothing_is_left(target)


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_asked_again(get, server, target, code):
  server.faults = [code, code]
  get()
  assert len(server.asked) == 3
  assert target.read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_told_after_the_attempts(target, server):
  with pytest.raises(DownloadError, match="refused. Tried 2 times in a row.$"):
    download(
      "http://127.0.0.1:1/set.bin",
      target,
      checksum=_sha256(CONTENT),
      attempts=2,
      first_wait_s=0.001,
    )


@pytest.mark.parametrize("url", ["ftp://example.org/a", "file:///etc/hosts", "a.zip", ""])
def test_other_kinds_of_url_are_refused(target, url):
  with pytest.raises(DownloadError, match="Expected an http or https URL. Received: "):
    download(url, target, checksum=_sha256(b""))
