"""Measures of how inputs look: what is dark, flat, blurred, in another script or language."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipeline.checks import pictures, text
from pipeline.checks.looks import measuring


def _pattern(side=96):
  """A picture with sharp edges, grey."""
  random = np.random.default_rng(3)
  blocks = random.integers(0, 256, (8, 8), dtype=np.uint8)
  return Image.fromarray(np.kron(blocks, np.ones((side // 8, side // 8), np.uint8)))


def _looks(picture):
  file = io.BytesIO()
  picture.save(file, "PNG")
  return pictures.describe(file.getvalue()).looks


def test_light_is_the_mean_and_the_range():
  grey = np.zeros((10, 10), np.uint8)
  grey[:, 5:] = 200
  found = measuring.of_picture(grey)
  assert (found["brightness"], found["contrast"]) == (100, 200)


def test_a_blurred_copy_is_less_sharp_whatever_its_contrast():
  sharp = _looks(_pattern())["sharpness"]
  blurred = _looks(_pattern().filter(ImageFilter.GaussianBlur(3)))["sharpness"]
  faint = _looks(_pattern().point(lambda value: 100 + value // 5))["sharpness"]
  assert blurred < 0.35 * sharp
  assert faint == pytest.approx(sharp, rel=0.1)


def test_a_large_picture_is_measured_as_it_would_be_seen_smaller():
  large = _pattern(side=1024)
  assert _looks(large)["brightness"] == pytest.approx(_looks(_pattern(256))["brightness"], abs=1)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 50)])
def test_what_has_no_edge_has_no_sharpness(size):
  assert _looks(Image.new("L", size, 90))["sharpness"] == measuring.UNKNOWN


@pytest.mark.parametrize(
  ("said", "script"),
  [
    ("It was good, 10/10!", "LATIN"),
    ("Очень good фильм", "CYRILLIC"),
    ("とても良い映画です", "CJK"),
    ("جيد جدا", "ARABIC"),
    ("10:0 :-)", ""),
  ],
)
def test_the_script_is_that_of_most_letters(said, script):
  assert text.describe(said.encode()).script == script


def test_another_language_has_few_of_the_frequent_words():
  familiarity = measuring.Familiarity()
  english = "this is the story of a man who lost it all and then found that he was not alone {}"
  french = "une histoire tres banale dont les acteurs ne semblent pas croire une seule phrase"
  for number in range(3_000):  # more than what the words are learnt from
    said = french if number in (5, 2_990) else english.format(f"number{number}")
    familiarity.add(text.describe(said.encode()).words)
  familiarity.add(text.describe(b"too short").words)
  scores = familiarity.scores()
  assert len(scores) == 3_001
  assert scores[5] == scores[2_990] == 0
  assert scores[-1] == measuring.UNKNOWN
  assert np.median(scores) > 0.9
