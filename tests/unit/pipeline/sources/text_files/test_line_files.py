"""Lines in ranges: every line once, whatever its bytes, and bounded whatever its length."""

from __future__ import annotations

import gzip

import hypothesis
import pytest
from hypothesis import strategies as st

from dlpipe.errors import BadInputError
from pipeline.sources.text_files import line_files
from pipeline.sources.text_files.line_files import Line


def lines_of(file, **how):
  ranges = line_files.cut(str(file), **how)
  return [line for part in ranges for line in line_files.read_lines(str(file), **part)]


@hypothesis.given(
  lines=st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\n", b" ")), max_size=20),
  last=st.sampled_from([b"", b"\n"]),
  most=st.integers(1, 7),
  size=st.integers(1, 30),
  packed=st.booleans(),
)
@hypothesis.settings(
  max_examples=80,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_ranges_hold_every_line_once(lines, last, most, size, packed, tmp_path):
  hypothesis.assume(not (lines and lines[0].startswith(b"\xef\xbb\xbf")))
  data = b"\n".join(lines) + (last if lines else b"")
  hypothesis.assume(b"\n" in data or b"\r" not in data.rstrip(b"\r"))  # else it is refused
  if last == b"" and lines and not lines[-1]:
    lines = lines[:-1]
  (tmp_path / "x").write_bytes(gzip.compress(data) if packed else data)
  hypothesis.assume(packed or not data.startswith(b"\x1f\x8b"))
  found = lines_of(tmp_path / "x", lines=most, size=size)
  ended = [line[:-1] if line.endswith(b"\r") else line for line in lines]
  if lines and data[-1:] != b"\n":
    ended[-1] = lines[-1]
  assert found == [Line(number, line) for number, line in enumerate(ended, 1)]
  offsets, count = line_files.index(str(tmp_path / "x"), most)
  assert count == len(lines)
  starts = [sum(len(line) + 1 for line in lines[:n]) for n in range(len(lines))]
  assert offsets == starts[::most]


def test_only_a_newline_ends_a_line(tmp_path):
  text = "\ufeffa\u2028b\u0085c\rd\x0be\x0cf\r\nnext"
  (tmp_path / "x").write_bytes(text.encode())
  assert [line.data.decode() for line in lines_of(tmp_path / "x")] == [
    "a\u2028b\u0085c\rd\x0be\x0cf",
    "next",
  ]


def test_several_gzip_members_are_one_file(tmp_path):
  # As `cat a.gz b.gz`, pigz and log rotation write them (tensorflow#45137).
  members = [b"one\ntw", b"", b"o\nthree", b"\nfour"]
  (tmp_path / "x").write_bytes(b"".join(map(gzip.compress, members)))
  found = [line.data for line in lines_of(tmp_path / "x")]
  assert found == [b"one", b"two", b"three", b"four"]


def test_a_line_that_is_too_long_is_not_held(tmp_path, monkeypatch):
  monkeypatch.setattr(line_files, "MAX_LINE_BYTES", 1 << 20)
  (tmp_path / "x").write_bytes(b"a\n" + b"b" * (3 << 20) + b"\nc\n")
  a, b, c = lines_of(tmp_path / "x")
  assert (a, c) == (Line(1, b"a"), Line(3, b"c"))
  assert (b.number, len(b.data), b.fault) == (2, 64 << 10, "the line is longer than 1 MiB")


def test_a_damaged_archive_ends_with_a_fault(tmp_path):
  data = gzip.compress(b"".join(b"line %d\n" % n for n in range(100_000)))
  (tmp_path / "x").write_bytes(data[: len(data) // 2])
  *good, last = lines_of(tmp_path / "x")
  assert good[0] == Line(1, b"line 0")
  assert len(good) > 10_000
  assert last.fault.startswith("the file cannot be read from here on: Compressed file ended")
  with pytest.raises(BadInputError, match="cannot be read: Compressed file ended"):
    line_files.index(str(tmp_path / "x"), 1)


def test_a_missing_file_is_refused(tmp_path):
  with pytest.raises(BadInputError, match="cannot be read: No such file or directory"):
    line_files.cut(str(tmp_path / "gone"))


@pytest.mark.parametrize("packed", [False, True])
def test_lines_that_end_with_cr_alone_are_no_single_line(packed, tmp_path):
  path = tmp_path / "x.txt"
  data = b"one\rtwo\rthree\r"
  path.write_bytes(gzip.compress(data) if packed else data)
  for read in (line_files.cut, lambda file: line_files.index(file, 10)):
    with pytest.raises(BadInputError, match="They end with CR alone; write them anew"):
      read(str(path))


@pytest.mark.parametrize("data", [b"one", b"one\r", b"a\rb\nc", b"one\r\n", b""])
def test_a_cr_elsewhere_is_a_character(data, tmp_path):
  path = tmp_path / "x.txt"
  path.write_bytes(data)
  assert line_files.count(str(path), line_files.cut(str(path))) == len(data.splitlines()) - (
    data == b"a\rb\nc"
  )
