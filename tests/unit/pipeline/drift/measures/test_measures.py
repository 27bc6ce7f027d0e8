"""What is measured of a picture, a text, a label and an answer."""

import doctest
import io

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from pipeline.drift.measures import features, languages, pictures, texts
from pipeline.drift.measuring import Kind, Measure, Row, main_output


def _retaken(encoded, look):
  file = io.BytesIO()
  look(Image.open(io.BytesIO(encoded))).save(file, "PNG")
  return pictures.measure(file.getvalue())


def _moved(look, encoded):
  """Returns the features that a change moves by more than a tenth."""
  before = pictures.measure(encoded)
  after = _retaken(encoded, look)
  return {
    name
    for name, value in before.items()
    if isinstance(value, float) and abs(after[name] - value) > 0.1 * max(abs(value), 0.02)
  } - {"bytes per pixel"}


def test_a_darker_picture_is_darker_and_nothing_else(picture):
  assert _moved(lambda p: ImageEnhance.Brightness(p).enhance(0.6), picture(size=(64, 48))) == {
    "brightness"
  }


def test_a_blurred_picture_is_less_sharp(picture):
  before = pictures.measure(picture(size=(64, 48)))
  after = _retaken(picture(size=(64, 48)), lambda p: p.filter(ImageFilter.GaussianBlur(1.5)))
  assert after["sharpness"] < before["sharpness"] / 2
  assert after["brightness"] == pytest.approx(before["brightness"], abs=0.01)


def test_a_grey_picture_has_no_saturation_and_says_so(picture):
  found = pictures.measure(picture(colour=False))
  assert (found["colours"], found["saturation"]) == ("grey", 0)
  assert "warmth" not in found
  in_rgb = _retaken(picture(), lambda p: p.convert("L").convert("RGB"))
  assert (in_rgb["colours"], in_rgb["saturation"]) == ("RGB", 0)


def test_a_file_is_measured_by_its_header(picture):
  found = pictures.measure(picture(size=(40, 30), kind="BMP"))
  assert (found["format"], found["width"], found["height"]) == ("BMP", 40, 30)


@pytest.mark.parametrize("value", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_decoded_is_unreadable(value):
  assert pictures.measure(value) == {"unreadable": 1.0}


def test_a_large_picture_costs_little_and_measures_alike(picture):
  small, large = (picture(size=(s, s), light=200) for s in (100, 1_100))
  assert pictures.measure(large)["width"] == 1_100
  assert pictures.measure(large)["brightness"] == pytest.approx(
    pictures.measure(small)["brightness"], abs=0.02
  )


@pytest.mark.parametrize(
  ("text", "script", "language"),
  [
    ("The weather is nice and we are on the way", "Latin", "en"),
    ("Je ne sais pas où est la gare", "Latin", "fr"),
    ("Das ist nicht so gut, wie ich dachte", "Latin", "de"),
    ("No sé por qué está la puerta abierta", "Latin", "es"),
    ("Я не знаю, что это такое", "Cyrillic", "ru"),
    ("Я не знаю, що це таке", "Cyrillic", "uk"),
    ("我不知道", "Cjk", "zh"),
    ("これはペンです", "Hiragana", "ja"),
    ("Δεν ξέρω", "Greek", "el"),
    ("123 !?", "none", "unclear"),
    ("qwrt zxcv", "Latin", "unclear"),
  ],
)
def test_script_and_language(text, script, language):
  found = texts.measure(text, texts.words_of(text))
  assert (found["script"], found["language"]) == (script, language)


def test_words_of_scripts_without_spaces_are_letters():
  assert texts.words_of("我不 know") == ["我", "不", "know"]
  assert texts.unknown(["a", "b", "c", "a"], {"a"}) == {"unknown words": 0.5}
  assert texts.unknown([], {"a"}) == {}


def test_labels_and_answers_are_measured_by_the_kind_of_problem():
  def of(kind, **row):
    return dict(Measure(Kind(is_text=True, **kind)).of(Row(**row))[0])

  one = {"has_classes": True, "has_one_class": True}
  several = {"has_classes": True, "has_one_class": False}
  none = {"has_classes": False, "has_one_class": False}
  assert of(one, labels=[b"cat"]) == {"label mix": ["cat"]}
  assert of(several, labels=[b"a", b"b"]) == {"label mix": ["a", "b"]}
  assert of(none, labels=[3]) == {"label value": 3.0}
  assert of(none, labels=[b"un deux trois"]) == {"label length": 3}
  assert of(one, answer={"label": "cat", "score": 0.9, "scores": [0.9, 0.1]}) == {
    "answer mix": "cat",
    "score": 0.9,
    "answers that are no number": 0.0,
  }
  assert of(
    several, answer={"label": "a|b", "labels": ["a", "b", "c"], "scores": [0.9, 0.5, 0.1]}
  ) == {"answer mix": ["a", "b"]}
  sure = {"answers that are no number": 0.0}
  assert of(none, answer={"value": 2.5}) == {"answer value": 2.5, **sure}
  assert of(none, answer={"value": float("nan")})["answers that are no number"] == 1.0
  assert of(none, answer={"translation": "deux mots", "score": -0.5}) == {
    "answer length": 2,
    "score": -0.5,
    **sure,
  }


def test_what_a_model_says_of_its_doubts_is_not_measured_as_its_answer():
  kind = Kind(is_text=False, has_classes=False, has_one_class=False)
  answer = {"decision": "accepted", "familiarity": 0.5, "high": 17.0, "low": 11.0, "value": 14.0}
  assert dict(Measure(kind).of(Row(answer=answer))[0]) == {
    "answer value": 14.0,
    "answers that are no number": 0.0,
  }


def test_the_answer_in_a_word():
  answer = {"decision": "unsure", "score": 0.5, "label": "a", "scores": [0.5]}
  assert main_output(answer) == "label"
  assert main_output({"score": 0.5, "translation": "Hallo"}) == "translation"
  assert main_output({"score": 0.5, "value": 3.0}) == "value"
  # What a model says of its doubts is no answer.
  doubts = {"decision": "unsure", "familiarity": 0.5}
  assert main_output({**doubts, "label": "a"}) == "label"
  assert main_output({**doubts, "low": 1.0, "high": 5.0, "value": 3.0}) == "value"
  assert main_output({"score": 0.5}) is None


def test_the_examples_hold():
  for module in (features, languages, texts):
    assert doctest.testmod(module).failed == 0
