"""What the text describer takes for essential, and how alike its parts make texts."""

import pytest

from pipeline.checks.description import IndescribableError
from pipeline.checks.text import describe


def _shared(left, right):
  """The Jaccard index of two texts' parts."""
  a, b = (set(map(int, describe(text.encode()).parts)) for text in (left, right))
  return len(a & b) / len(a | b)


def test_lengths_are_those_of_the_text_as_it_is():
  assert describe("Caf\u00e9,  au lait!".encode()).lengths == {"characters": 15, "words": 3}
  assert describe(b"").lengths == {"characters": 0, "words": 0}


@pytest.mark.parametrize(
  ("left", "right"),
  [
    ("A fine film.", "  a FINE\tfilm"),
    ("caf\u00e9 noir", "cafe\u0301 noir"),  # composed and decomposed
    ("\uff34\uff52\uff59 this", "try this"),  # full width
    ("Stra\u00dfe", "STRASSE"),
    ("well-made, dull", "well made dull"),
    ("a\u00a0b\u202fc", "a b c"),
    ("snake_case", "snake case"),
    ("'I don\u2019t'", "I don't"),
  ],
)
def test_case_width_punctuation_and_space_are_not_essential(left, right):
  assert describe(left.encode()).key == describe(right.encode()).key


@pytest.mark.parametrize(
  ("left", "right"),
  [
    ("not good", "good"),
    ("cafe", "caf\u00e9"),
    ("scored 10", "scored 1"),
    ("ab c", "a bc"),
    ("good film", "film good"),
    ("we're", "were"),
  ],
)
def test_letters_digits_and_their_order_are(left, right):
  assert describe(left.encode()).key != describe(right.encode()).key


def test_what_is_only_punctuation_is_not_compared():
  described = describe(" ... \U0001f642 !".encode())
  assert described.key == b""
  assert not len(described.parts)


def test_parts_are_pairs_of_neighbouring_words():
  words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
  text = " ".join(words)
  assert len(describe(text.encode()).parts) == 9
  assert _shared(text, text.upper()) == 1
  assert _shared(text, " ".join([*words[:9], "other"])) == 8 / 10
  assert _shared(text, " ".join(reversed(words))) == 0


def test_texts_of_few_words_are_compared_by_key_alone():
  eight = "one two three four five six seven eight"
  assert not len(describe(eight.encode()).parts)
  assert len(describe(f"{eight} nine".encode()).parts) == 8


def test_a_script_without_spaces_is_compared_by_runs_of_characters():
  text = (
    "\u6211\u4eec\u5728\u8fd9\u91cc\u770b\u4e86\u4e00\u90e8\u975e\u5e38\u597d\u7684\u7535\u5f71"
  )
  text += "\u7136\u540e\u56de\u5bb6\u7761\u89c9"
  assert len(describe(text.encode()).parts) == len(text) - 4
  assert _shared(text, text + "\u4e86") == pytest.approx(17 / 18)


def test_the_excerpt_is_one_short_line():
  assert describe(b"two\nlines\x07 here").excerpt == "two lines here"
  long = describe(b"word " * 500).excerpt
  assert len(long) == 100
  assert long.endswith("\u2026")


def test_other_encodings_are_told():
  with pytest.raises(IndescribableError, match="not UTF-8: .* at byte 3"):
    describe(b"caf\xe9 noir")
