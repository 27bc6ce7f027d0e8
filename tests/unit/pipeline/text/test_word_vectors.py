"""Word vectors as GloVe and fastText write them, and what is wrong with a file."""

import gzip
import hashlib

import numpy as np
import pytest

from dlpipe.errors import BadInputError
from pipeline.text import word_vectors

_GLOVE = b"good 1 0 -0.5\nbad -1 0 0.5\nfilm 0 2e-1 0\n"
_WORDS = [b"film", b"bad", b"unheard"]


@pytest.fixture
def write(tmp_path):
  def write(content, name="vectors.txt"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name

  return write


@pytest.mark.parametrize("kind", ["glove", "fasttext", "windows", "gz"])
def test_rows_of_the_vocabulary_are_read(write, kind):
  content = {
    "glove": _GLOVE,
    # fastText ends lines with a space.
    "fasttext": b"3 3\n" + _GLOVE.replace(b"\n", b" \n"),
    "windows": _GLOVE.replace(b"\n", b"\r\n"),
    "gz": gzip.compress(_GLOVE),
  }[kind]
  path = write(content, "vectors.txt.gz" if kind == "gz" else "vectors.vec")
  assert word_vectors.dimension(path) == 3
  vectors, found = word_vectors.read(path, _WORDS, 3)
  assert found.tolist() == [True, True, False]
  assert vectors.dtype == np.float32
  np.testing.assert_allclose(vectors, [[0, 0.2, 0], [-1, 0, 0.5], [0, 0, 0]])


def test_a_word_is_found_whichever_way_the_file_spells_it(write):
  path = write("e\u0301te\u0301 1\n\u00e9t\u00e9 2\nd\u00e9j\u00e0 3\n".encode() + b"caf\xe9 4\n")
  vectors, found = word_vectors.read(path, ["\u00e9t\u00e9".encode(), "d\u00e9j\u00e0".encode()], 1)
  assert found.all()
  assert vectors.tolist() == [[1], [3]]


def test_the_first_of_two_lines_of_a_word_counts(write):
  vectors, _ = word_vectors.read(write(b"film 1 1\nfilm 2 2\n"), _WORDS, 2)
  assert vectors[0].tolist() == [1, 1]


def test_words_with_spaces_are_passed_over(write):
  vectors, found = word_vectors.read(write(b". . . 1 2\nfilm 3 4\n"), _WORDS, 2)
  assert found.tolist() == [True, False, False]
  assert vectors[0].tolist() == [3, 4]


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (b"good 1 2\nbad 1 2 3\n", r"line 2 of '.*' has 3 numbers after its word. Expected 2,"),
    (b"good 1 2\nbad 1\n", r"line 2 of '.*' has 1 numbers after its word. Expected 2,"),
    (b"good 1 2\n\nbad\n", r"line 3 of '.*' has 0 numbers"),
    (b"good 1 2\nbad 1 x\n", r"line 2 of '.*' must hold 2 finite numbers .* Received: 'bad 1 x'"),
    (b"good 1 2\nbad 1 nan\n", r"line 2 of '.*' must hold 2 finite numbers"),
    (b"good 1 2\nbad 1 inf\n", r"line 2 of '.*' must hold 2 finite numbers"),
  ],
)
def test_a_wrong_line_is_named_by_its_number(write, content, message):
  with pytest.raises(BadInputError, match=message):
    word_vectors.read(write(content), _WORDS, 2)


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (b"", "line 1 .* holds no word vector. Expected one word and its numbers"),
    (b"just text\n", "line 1 .* holds no word vector"),
    (b"\x80\x03\xff\n", "line 1 .* holds no word vector"),
    (b"2 3\ngood 1 2\n", "line 2 .* Expected 3 numbers, as line 1 says"),
    (b"2 3\n\x00\x01\x02", "line 2 .* Expected 3 numbers, as line 1 says"),
  ],
)
def test_a_file_of_another_kind_is_told_by_its_start(write, content, message):
  with pytest.raises(BadInputError, match=message):
    word_vectors.dimension(write(content))


def test_what_cannot_be_read_is_bad_input(write, tmp_path):
  with pytest.raises(BadInputError, match="cannot read '.*absent': No such file"):
    word_vectors.dimension(tmp_path / "absent")
  with pytest.raises(BadInputError, match="cannot read '.*absent': No such file"):
    word_vectors.sha256(tmp_path / "absent")
  with pytest.raises(BadInputError, match="Is a directory"):
    word_vectors.dimension(tmp_path)
  with pytest.raises(BadInputError, match="Not a gzipped file"):
    word_vectors.dimension(write(_GLOVE, "plain.gz"))
  cut = write(gzip.compress(_GLOVE * 1000)[:-9], "cut.gz")
  with pytest.raises(BadInputError, match=r"cannot read '.*cut.gz': Compressed file ended"):
    word_vectors.read(cut, _WORDS, 3)


def test_the_hash_is_the_files(write):
  assert word_vectors.sha256(write(_GLOVE)) == hashlib.sha256(_GLOVE).hexdigest()
