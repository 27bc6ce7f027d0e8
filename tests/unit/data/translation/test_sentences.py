"""The sample sentences: the same everywhere, and grammatical where it is easy to get wrong."""

import hashlib
import pathlib

import pytest

from data.translation.sentences import sentences, write_sentences


@pytest.fixture(scope="module")
def pairs():
  return dict(sentences())


def test_the_file_is_the_same_on_every_machine(tmp_path):
  path = write_sentences(str(tmp_path / "new" / "sentences.tsv"))
  data = pathlib.Path(path).read_bytes()
  assert data.count(b"\n") == 6000
  assert (
    hashlib.sha256(data).hexdigest()
    == "0665ec858630c8d9cc3f7703d1fe56afab45d1309b1b77eb537244d90f6146e8"
  )


def test_a_file_that_is_there_stays(tmp_path):
  path = tmp_path / "sentences.tsv"
  path.write_text("mine")
  assert write_sentences(str(path)) == str(path)
  assert path.read_text() == "mine"


def test_sentences_are_different_and_written_as_sentences(pairs):
  assert len(pairs) == 6000
  for english, french in pairs.items():
    assert english[0].isupper()
    assert french[0].isupper()
    assert english.endswith("?") == french.endswith(" ?")
    assert "  " not in english + french


@pytest.mark.parametrize(
  ("wrong", "why"),
  [
    ("le apple", "articles are shortened before vowels"),
    ("je a", "so is je"),
    ("ne est", "and ne"),
    ("que il", "and que"),
    ("ma histoire", "a possessive before a vowel is masculine"),
    ("ce arbre", "and ce is cet"),
    ("pas un ", "a negation turns un into de"),
    ("pas une ", "and une"),
    ("chevals", "plurals that are irregular"),
  ],
)
def test_french_is_not_word_by_word(pairs, wrong, why):
  assert not any(wrong in french.lower() for french in pairs.values()), why
