"""Byte-pair encoding, on words whose merges can be told by hand."""

import random

import pytest

from pipeline.text import subword_learning
from pipeline.text.subword_learning import MAX_PIECE_CHARS, learn_pieces


def test_characters_come_first_then_the_most_frequent_pair():
  # "ab" occurs 9 times, "abc" 5 times, and nothing else more than that.
  pieces = learn_pieces({"abc": 5, "ab": 4, "c": 1}, 6)
  assert pieces == ["a", "b", "c", "ab", "abc"]


def test_a_pair_is_counted_anew_after_each_merge():
  # Once "ab" is one piece, "bc" is left only in "bcd": "abc" comes before it.
  pieces = learn_pieces({"abc": 10, "bcd": 4}, 10)
  assert pieces[4:6] == ["bc", "abc"]
  assert "ab" not in pieces


def test_the_size_bounds_characters_and_merges():
  assert learn_pieces({"abcdef": 5}, 3) == ["a", "b", "c"]
  assert len(learn_pieces({"abcabc": 5, "bcbc": 5}, 5)) == 5


def test_rare_characters_and_pairs_are_left_out():
  assert learn_pieces({"xy": 1, "aaa": 1}, 10) == ["a", "aa"]


def test_no_words_have_no_pieces():
  assert learn_pieces({}, 10) == []


def test_no_piece_is_longer_than_what_is_looked_up():
  pieces = learn_pieces({"abcdefghijklmnopqrstuvwxyz": 100}, 200)
  assert max(map(len, pieces)) <= MAX_PIECE_CHARS


@pytest.mark.parametrize("seed", range(5))
def test_merges_are_those_of_counting_everything_again(seed):
  rng = random.Random(seed)
  counts = {
    "".join(rng.choices("abc", k=rng.randrange(1, 8))): rng.randrange(3, 50) for _ in "x" * 30
  }
  assert learn_pieces(counts, 25) == _slowly(counts, 25)


def _slowly(counts, size):
  """The definition: merge the most frequent pair everywhere, the first of equals, and repeat."""
  characters = {}
  for word, count in counts.items():
    for character in word:
      characters[character] = characters.get(character, 0) + count
  pieces = [c for c in sorted(characters, key=lambda c: (-characters[c], c)) if characters[c] >= 3]
  words = [(list(word), count) for word, count in counts.items()]
  while len(pieces) < size:
    pairs = {}
    for symbols, count in words:
      for pair in zip(symbols, symbols[1:], strict=False):
        pairs[pair] = pairs.get(pair, 0) + count
    pairs = {pair: count for pair, count in pairs.items() if count >= 2}
    if not pairs:
      break
    best = min(pairs, key=lambda pair: (-pairs[pair], pair))
    if best[0] + best[1] not in pieces:
      pieces.append(best[0] + best[1])
    for symbols, _ in words:
      i = 0
      while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) == best:
          symbols[i : i + 2] = [best[0] + best[1]]
        i += 1
  return pieces


def test_the_file_holds_a_piece_a_line(tmp_path):
  path = tmp_path / "new" / "pieces"
  written = subword_learning._write_pieces({"né".encode(): 5, b"n": 1}, 10, str(path))
  assert written.item() == str(path)
  assert path.read_text("utf-8") == "n\né\nné\n"
