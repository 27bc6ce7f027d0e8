"""Changes of texts and pictures: what they change, and what they leave."""

import doctest
import io
import random

import numpy as np
import pytest
from PIL import Image

from pipeline.behaviour import copied, pictures, suite, texts
from pipeline.behaviour.suite import PICTURE_CHANGES, Change


def _changed(text, change, strength=1, seed=0):
  given = Change.model_validate(change)
  return texts.changed(text, given, strength=strength, rng=random.Random(seed))


@pytest.mark.parametrize(
  ("change", "text", "expected"),
  [
    ("upper_case", "Straße, été, \u0131 and ŉ", "STRAßE, ÉTÉ, \u0131 AND ŉ"),
    ("lower_case", "ÉTÉ İI", "été İi"),
    ("title_case", "it's a film", "It's A Film"),
    ("spaces", "a b", " a  b "),
    ("no_final_mark", "So good!! ", "So good"),
    ({"append": " X"}, "a", "a X"),
    ({"prepend": "X "}, "a", "X a"),
    ({"replace": {"Anna": "Mei"}}, "Anna and Annabel", "Mei and Annabel"),
    ({"replace": {"he": "she", "she": "he"}}, "he saw that she left", "she saw that he left"),
    ({"replace": {"New": "Old", "New York": "Rome"}}, "New York is New", "Rome is Old"),
    ({"replace": {"a": r"\1"}}, "a b", r"\1 b"),
    ("upper_case", "日本 123", "日本 123"),
    ("typos", "a bc def", "a bc def"),
  ],
)
def test_texts(change, text, expected):
  assert _changed(text, change) == expected


@pytest.mark.parametrize("strength", [1, 2, 3])
def test_typos_swap_neighbours_inside_of_words(strength):
  text = "something wonderful happened yesterday morning"
  for seed in range(20):
    other = _changed(text, "typos", strength, seed)
    differing = [n for n, (a, b) in enumerate(zip(text, other, strict=True)) if a != b]
    assert 2 <= len(differing) <= 2 * strength
    pairs = list(zip(differing[::2], differing[1::2], strict=True))
    assert all(b == a + 1 and other[a] == text[b] and other[b] == text[a] for a, b in pairs)
    words = zip(text.split(), other.split(), strict=True)
    assert all(a[0] == b[0] and a[-1] == b[-1] for a, b in words)


def _photo(size=(60, 40)):
  """Blocks of random colours."""
  blocks = np.random.default_rng(0).integers(0, 256, (size[1] // 4, size[0] // 4, 3), np.uint8)
  return Image.fromarray(blocks.repeat(4, 0).repeat(4, 1))


@pytest.mark.parametrize("name", PICTURE_CHANGES)
def test_pictures_keep_their_size_and_change_more_with_strength(name):
  photo = _photo()
  far = []
  for strength in (1, 2, 3):
    other = pictures.changed(
      photo, Change.model_validate(name), strength=strength, rng=random.Random(1)
    )
    assert (other.size, other.mode) == (photo.size, "RGB")
    far.append(np.abs(np.asarray(other, float) - np.asarray(photo, float)).mean())
  assert far[0] > 0
  assert far == sorted(far)
  assert (far[0] < far[1] < far[2]) or name in ("grey", "mirror")


def test_grey_has_no_colour_and_hue_keeps_the_value():
  grey = np.asarray(
    pictures.changed(_photo(), Change.model_validate("grey"), strength=1, rng=random)
  )
  assert (grey == grey[..., :1]).all()
  red = Image.new("RGB", (4, 4), (200, 0, 0))
  turned = pictures.changed(red, Change.model_validate("hue"), strength=3, rng=random).getpixel(
    (0, 0)
  )
  assert turned[1] == 200
  assert max(turned[0], turned[2]) < 10


def test_pictures_are_opened_as_viewers_show_them(make_picture):
  turned = io.BytesIO()
  exif = Image.Exif()
  exif[0x0112] = 6
  _photo().save(turned, "JPEG", exif=exif)
  assert pictures.opened(turned.getvalue()).size == (40, 60)
  clear = io.BytesIO()
  Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(clear, "PNG")
  assert pictures.opened(clear.getvalue()).getpixel((0, 0)) == (255, 255, 255)
  assert pictures.opened(make_picture(width=600, height=300)).size == (256, 128)
  assert pictures.opened(make_picture(mode="I;16")) is None
  assert pictures.opened(b"no picture") is None


@pytest.mark.parametrize(
  ("text", "token", "is_held"),
  [
    ("J'ai 12 ans.", "12", True),
    ("J'ai 120 ans.", "12", False),
    ("Tom-Tom", "Tom", True),
    ("Lauf 5km", "5", True),
    ("1,250 others", "1", False),
  ],
)
def test_numbers_and_names_are_held_as_wholes(text, token, is_held):
  assert copied.holds(text, token) is is_held


def test_names_and_numbers_of_a_text():
  assert copied.tokens("In 2024 Anna met NASA and Jo for 3.5 hours", "names") == ["Anna", "NASA"]
  assert copied.tokens("In 2024 Anna paid 3.5, 3.5", "numbers") == ["2024", "3.5"]


@pytest.mark.parametrize(("module", "count"), [(copied, 3), (suite, 2)])
def test_the_examples_hold(module, count):
  assert doctest.testmod(module) == (0, count)


def test_the_noise_of_a_grey_picture_is_grey():
  noise = Change.model_validate("noise")
  for picture, is_grey in ((_photo(), False), (_photo().convert("L").convert("RGB"), True)):
    noisy = pictures.changed(picture, noise, strength=2, rng=random.Random(0))
    pixels = np.asarray(noisy)
    assert (pixels == pixels[..., :1]).all() == is_grey
    assert 5 < np.abs(pixels - np.asarray(picture, float)).mean() < 20
