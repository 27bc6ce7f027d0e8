"""Class folders of texts, as IMDB has them."""

from __future__ import annotations

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected


@pytest.fixture
def write(tmp_path):
  def write(**files):
    for name, data in files.items():
      path = tmp_path / name.replace("__", "/")
      path = path if "." in path.name else path.with_name(path.name + ".txt")
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(data.encode() if isinstance(data, str) else data)
    return tmp_path

  return write


def test_the_layout_of_imdb(write, read_all):
  files = {
    f"{split}__{label}__{n}_{9 if label == 'pos' else 2}": f"{split} {label} {n}<br />more"
    for split in ("train", "test")
    for label in ("pos", "neg")
    for n in range(3)
  }
  root = write(**files, train__unsup__0_0="no label", train__urls_pos="http", README="words")
  plan, records = read_all("folder", root)
  assert plan.given_splits == ("train", "eval")
  assert plan.labels == ("neg", "pos")
  assert len(records) == 12
  by_origin = {r.origin: r for r in records}
  assert by_origin["test/pos/1_9.txt"].features == {
    "text": "test pos 1<br />more",
    "label": "pos",
    "length_bucket": "001-010 words",
  }
  assert by_origin["test/pos/1_9.txt"].split == "eval"
  assert by_origin["train/neg/0_2.txt"].split == "train"


def test_files_that_cannot_be_used_are_rejected(write, read_all):
  root = write(
    a__1="one",
    a__2=b"\xef\xbb\xbftwo",
    a__3=b"drei\xdf",
    a__4="",
    a__5="x" * 100,
    b__1="1",
    b__2="é" * 10,
  )
  (root / "b" / "3.pdf").write_bytes(b"%PDF")
  (root / "b" / "4").write_bytes(b"no suffix")
  _, records = read_all("folder", root, max_chars=10)
  rejected = {r.origin: (r.reason, r.file) for r in records if isinstance(r, Rejected)}
  assert rejected == {
    "a/3.txt": ("the text is no valid UTF-8: byte 0xDF", str(root / "a/3.txt")),
    "a/4.txt": ("the text is empty", str(root / "a/4.txt")),
    "a/5.txt": ("the text has more characters than data.max_chars = 10", str(root / "a/5.txt")),
    "b/3.pdf": ("the file is no .txt", str(root / "b/3.pdf")),
  }
  texts = {r.features["text"] for r in records if not isinstance(r, Rejected)}
  assert texts == {"one", "two", "1", "é" * 10, "no suffix"}


def test_unsup_alone_is_no_class(write, read_all):
  root = write(pos__1="a", pos__2="b", unsup__1="c", unsup__2="d")
  with pytest.raises(BadInputError, match="Found only 'pos'"):
    read_all("folder", root)


def test_words_are_those_of_texts(write, read_all):
  with pytest.raises(BadInputError, match="Expected at least two classes with two texts or more"):
    read_all("folder", write(pos__1="a", neg__1="b", neg__2="c"))
