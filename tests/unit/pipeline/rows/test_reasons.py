"""Why an exported model answers the rows that a report shows: asked of its signature `explain`."""

import json

import pytest
import tensorflow as tf

from pipeline.rows import reasons
from pipeline.rows import table as tables
from pipeline.rows.files import REASONS_FILE

# More mistakes than are explained, in two cells.
MANY = {"eval": [[(f"word{n} good word{n}".encode(), b"dog") for n in range(40)]], "val": []}


@tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
def why(text):
  """Says that each word adds its place, from 1, and refuses a text with `refuse` in it."""
  refused = tf.reduce_any(tf.strings.regex_full_match(text, ".*refuse.*"))
  with tf.control_dependencies([tf.debugging.Assert(~refused, ["such a text is refused"])]):
    words = tf.strings.split(text).to_tensor()
  places = tf.cast(tf.range(1, tf.shape(words)[1] + 1), tf.float32) * tf.ones_like(words, "float")
  parts = tf.where(words == "", 0.0, places)
  total = tf.reduce_sum(parts, axis=1)
  return {
    "tokens": words,
    "contributions": tf.where(words == "infinite", float("inf"), parts),
    "explained": total + 0.5,
    "intercept": tf.fill(tf.shape(text), 0.5),
    "unexplained": tf.zeros_like(total),
    "label": tf.fill(tf.shape(text), "cat"),
  }


@tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
def length(text):
  """Tells something that is no explanation."""
  return {"length": tf.strings.length(text)}


@pytest.fixture(scope="module")
def explaining(save_classifier):
  """The directory of a model that explains words."""
  return save_classifier(explain=why)


def test_mistakes_have_the_words_that_the_signature_names(predicted, explaining):
  splits = {"val": [], "eval": [[(b"good", b"cat"), (b"a bad a", b"dog"), (b"no", b"dog")]]}
  found = reasons.Reasons.read(predicted(splits, model=explaining))
  assert (found.missing, found.failed) == ("", 0)
  account = {"label": "cat", "intercept": 0.5, "unexplained": 0.0}
  assert found.reasons == {
    0: {**account, "explained": 1.5, "words": [["good", 1.0]]},
    1: {**account, "explained": 6.5, "words": [["a", 4.0], ["bad", 2.0]]},
    2: {**account, "explained": 1.5, "words": [["no", 1.0]]},
  }


def test_a_bounded_number_is_explained_in_batches_the_worst_first(
  predicted, explaining, monkeypatch
):
  sizes = []
  asking = reasons.asking

  def counted(signatures, key):
    ask = asking(signatures, key)
    return lambda values: sizes.append(len(values)) or ask(values)

  monkeypatch.setattr(reasons, "asking", counted)
  directory = predicted(MANY, model=explaining)
  found = reasons.Reasons.read(directory)
  table = tables.read(directory)
  loss = table["loss"].to_pylist()
  # Twenty-four mistakes, and of their only cell the first six, which are among them.
  assert set(found.reasons) == set(sorted(range(40), key=lambda n: (-loss[n], n))[:24])
  assert sizes == [16, 8]


def test_a_model_without_the_signature_is_told(predicted):
  found = reasons.Reasons.read(predicted(MANY))
  assert found.reasons == {}
  assert found.missing.startswith("The model has no signature explain: it was exported before")


def test_a_signature_of_unknown_outputs_is_told(predicted, save_classifier):
  found = reasons.Reasons.read(predicted(MANY, model=save_classifier(explain=length)))
  assert found.reasons == {}
  assert "tells neither places, words nor an alignment, but length" in found.missing


def test_an_input_that_cannot_be_explained_costs_the_others_nothing(predicted, explaining):
  rows = [(b"good", b"dog"), (b"refuse me", b"dog"), (b"infinite", b"dog"), (b"bad", b"dog")]
  found = reasons.Reasons.read(predicted({"val": [], "eval": [rows]}, model=explaining))
  assert (sorted(found.reasons), found.failed) == ([0, 3], 2)
  assert "such a text is refused" in found.failure


def test_runs_before_there_were_reasons_have_none(predicted):
  directory = predicted(MANY)
  (directory / REASONS_FILE).unlink()
  assert reasons.Reasons.read(directory) is None


def _answered(**outputs):
  asker = reasons.Asker(lambda values: outputs, [0])
  assert list(asker.noting([(0, b"x"), (1, b"y")])) == [(0, b"x"), (1, b"y")]
  return asker.found.reasons[0]


def test_a_large_map_loses_no_part(tmp_path):
  given = tf.random.stateless_normal([1, 57, 224], seed=(1, 2)).numpy()
  places = _answered(map=given, map_png_bytes=tf.constant([b"png"]).numpy())["map"]
  assert (len(places), len(places[0])) == (28, 28)
  assert sum(map(sum, places)) == pytest.approx(float(given.astype("float64").sum()))
  small = tf.random.stateless_normal([1, 7, 28], seed=(1, 2)).numpy()
  assert _answered(map=small) == {"map": small[0].tolist()}


def test_an_alignment_is_cut_to_its_own_and_to_a_bounded_length():
  reason = _answered(
    translation=tf.constant(["la casa"]).numpy(),
    source_tokens=tf.constant([["the", "house", ""]]).numpy(),
    target_tokens=tf.constant([["la", "casa", "", ""]]).numpy(),
    alignment=tf.constant([[[0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [0.0] * 3, [0.0] * 3]]).numpy(),
  )
  assert reason == {
    "source_tokens": ["the", "house"],
    "target_tokens": ["la", "casa"],
    "alignment": [[0.75, 0.25], [0.0, 1.0]],
  }
  long = _answered(
    source_tokens=tf.fill([1, 80], "a").numpy(),
    target_tokens=tf.fill([1, 90], "b").numpy(),
    alignment=tf.fill([1, 90, 80], 0.0125).numpy(),
  )
  assert (len(long["alignment"]), len(long["alignment"][0])) == (60, 60)
  assert len(json.dumps(long)) < 100_000


def test_a_number_is_explained_without_a_label():
  reason = _answered(
    map=tf.constant([[[1.5]]]).numpy(),
    explained=tf.constant([2.0]).numpy(),
    intercept=tf.constant([0.5]).numpy(),
    unexplained=tf.constant([0.0]).numpy(),
  )
  assert reason == {"explained": 2.0, "intercept": 0.5, "unexplained": 0.0, "map": [[1.5]]}
