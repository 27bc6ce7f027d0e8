"""Planted label errors are found in texts and in pictures, and named by their origins."""

import dataclasses
import io
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from dlpipe.errors import BadInputError
from pipeline.problems import number
from pipeline.suspects import cheap, out_of_fold
from pipeline.suspects import search as searching
from pipeline.tasks.images.task import TASK as IMAGES
from pipeline.tasks.sentiment.task import TASK as SENTIMENT

ROWS, PLANTED = 300, 15  # 5 %


@pytest.fixture
def examples(write_examples):
  """Returns a function that writes inputs with one label each; every third is in eval."""
  return lambda inputs, labels, key: write_examples(inputs, [[label] for label in labels], key)


def _planted(classes, seed=0):
  """Returns true and given labels, and the numbers of the wrong ones."""
  random = np.random.default_rng(seed)
  truth = random.integers(0, len(classes), ROWS)
  wrong = random.choice(ROWS, PLANTED, replace=False)
  given = truth.copy()
  given[wrong] = (given[wrong] + random.integers(1, len(classes), PLANTED)) % len(classes)
  return truth, [classes[n] for n in given], {f"data, row {n}" for n in wrong}


def _texts(truth, seed=1):
  """Sentences of ten words: six of everybody's, four of one class."""
  random = np.random.default_rng(seed)
  words = [[f"{name}{n}" for n in range(30)] for name in ("common", "good", "bad")]
  texts = []
  for label in truth:
    picked = [*random.choice(words[0], 6), *random.choice(words[1 + label], 4)]
    texts.append(" ".join(random.permutation(picked)).encode())
  return texts


def _pictures(truth, seed=1):
  """Circles, squares and lines at random places on noise."""
  random = np.random.default_rng(seed)
  pictures = []
  for label in truth:
    noise = random.integers(0, 90, (40, 40, 3), np.uint8)
    picture = Image.fromarray(noise)
    draw, (x, y) = ImageDraw.Draw(picture), random.integers(4, 16, 2).tolist()
    box = (x, y, x + 18, y + 18)
    shape = (draw.ellipse, draw.rectangle, draw.line)[label]
    shape(box, fill=(220, 220, 220), **({"width": 4} if label == 2 else {}))
    file = io.BytesIO()
    picture.save(file, "PNG")
    pictures.append(file.getvalue())
  return pictures


def _precision(found, planted):
  """The part of the planted labels among as many of the likeliest."""
  return sum(each.origin in planted for each in found.likely[: len(planted)]) / len(planted)


def test_wrong_labels_of_texts(examples):
  truth, given, planted = _planted(["good", "bad"])
  found = searching.search(SENTIMENT, examples(_texts(truth), given, "text"), ROWS)
  assert _precision(found, planted) >= 0.8
  assert abs(len(found.likely) - PLANTED) <= 10
  first = found.likely[0]
  assert {first.label, first.suggested} == {"good", "bad"}
  assert first.suggested_score > 0.5 > first.label_score
  assert first.input
  assert found.looked_at == ROWS
  assert {each.split for each in found.likely} == {"train", "eval"}


def test_words_that_differ_at_their_ends_vouch_for_each_other(examples):
  truth, given, planted = _planted(["good", "bad"])
  # No word occurs twice: only their first characters tell the class.
  texts = [
    " ".join(f"{('delight', 'disappoint')[label]}{row}x{n}" for n in range(4)).encode()
    for row, label in enumerate(truth)
  ]
  found = searching.search(SENTIMENT, examples(texts, given, "text"), ROWS)
  assert _precision(found, planted) == 1


def test_wrong_labels_of_pictures(examples):
  truth, given, planted = _planted(["circle", "square", "line"])
  found = searching.search(IMAGES, examples(_pictures(truth), given, "image"), ROWS)
  assert _precision(found, planted) >= 0.8
  assert found.accuracy > 0.8
  assert found.likely[0].input == ""


def test_numbers_of_rows_are_those_of_the_check(examples):
  truth, given, _ = _planted(["good", "bad"])
  found = searching.search(SENTIMENT, examples(_texts(truth), given, "text"), ROWS)
  order = [n for n in range(ROWS) if n % 3 < 2] + [n for n in range(ROWS) if n % 3 == 2]
  assert all(each.origin == f"data, row {order[each.number]}" for each in found.likely)


def test_of_many_rows_a_part_is_looked_at(examples, monkeypatch):
  monkeypatch.setattr(searching, "MAX_ROWS", 100)
  truth, given, _ = _planted(["good", "bad"])
  found = searching.search(SENTIMENT, examples(_texts(truth), given, "text"), ROWS)
  assert 60 < found.looked_at < 140
  assert found.left_out == (f"only {found.looked_at} of 300 examples were looked at",)


def test_rare_classes_and_files_that_are_no_pictures_are_left_out(examples):
  truth, given, _ = _planted(["circle", "square", "line"])
  pictures = _pictures(truth)
  pictures[0], pictures[1], given[2] = b"no picture", b"", "rare"
  found = searching.search(IMAGES, examples(pictures, given, "image"), ROWS)
  assert found.looked_at == ROWS - 3
  unreadable, rare = found.left_out
  assert unreadable == "2 inputs cannot be read as pictures"
  assert rare.startswith("1 labels with fewer than 5 examples")


def test_one_class_has_no_suspects(examples):
  found = searching.search(SENTIMENT, examples([b"a b", b"c d"] * 20, ["x"] * 40, "text"), 40)
  assert (found.looked_at, found.likely) == (0, ())


@pytest.mark.parametrize("kind", ["text", "image"])
def test_a_cheap_model_is_asked_about_eval(examples, kind):
  truth, given, _ = _planted(["circle", "square", "line"][: 2 if kind == "text" else 3])
  inputs = _texts(truth) if kind == "text" else _pictures(truth)
  told = {"input_key": kind, "label_key": "label", "is_text": kind == "text"}
  said = pa.table({"right": pa.array([True] * 100)})
  found = cheap.of_classes(examples(inputs, given, kind), told, said)
  assert (found.train_rows, found.eval_rows) == (200, 100)
  assert found.cheap > 0.85 > 0.6 > found.constant > 0.2


def test_without_eval_there_is_no_baseline(examples):
  told = {"input_key": "text", "label_key": "label", "is_text": True}
  assert cheap.of_classes(examples([b"a"], ["x"], "text"), told, pa.table({})) is None


def test_answers_without_classes_are_refused(tmp_path):
  task = dataclasses.replace(SENTIMENT, problem=number.PROBLEM, gates=())
  with pytest.raises(BadInputError, match="one class of several"):
    searching.search(task, tmp_path, 10)


@pytest.mark.parametrize("look", ["search", "baseline"])
def test_inputs_are_gone_when_the_cheap_model_learns(examples, monkeypatch, look):
  truth, given, _ = _planted(["good", "bad"])
  size = 100_000
  directory = examples([text + b" " * size for text in _texts(truth)], given, "text")
  held = []

  def of_sparse(features, given, fold, classes):
    held.append(tracemalloc.get_traced_memory()[0])
    return np.full((len(given), classes), 1 / classes)

  monkeypatch.setattr(out_of_fold, "of_sparse", of_sparse)
  tracemalloc.start()
  if look == "search":
    searching.search(SENTIMENT, directory, ROWS)
  else:
    told = {"input_key": "text", "label_key": "label", "is_text": True}
    said = pa.table({"right": pa.array([True] * 100)})
    cheap.of_classes(directory, told, said)
  tracemalloc.stop()
  assert 0 < held[0] < ROWS * size / 4
