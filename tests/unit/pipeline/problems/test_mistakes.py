"""The list of mistakes a person looks at."""

import base64
import json

import pytest
import tensorflow as tf

from pipeline.problems import mistakes


def _example(text, label):
  example = tf.train.Example()
  example.features.feature["text"].bytes_list.value.append(text)
  example.features.feature["kind"].bytes_list.value.append(label)
  return example.SerializeToString()


def _predict(texts):
  """Calls everything a cat, the surer the longer."""
  length = tf.cast(tf.strings.length(texts), tf.float32)
  return {"label": tf.fill(tf.shape(texts), b"cat"), "score": length / 100_000}


def _written(path, examples):
  mistakes.write(path, examples, _predict, input_key="text", label_key="kind")
  return json.loads(path.read_text())


def test_only_mistakes_are_kept_and_the_surest_first(tmp_path):
  rows = _written(
    tmp_path / "m.json",
    [_example(b"aa", b"cat"), _example(b"bb", b"dog"), _example(b"cccc", b"cow")],
  )
  assert [(row["label"], row["predicted"]) for row in rows] == [("cow", "cat"), ("dog", "cat")]
  assert [base64.b64decode(row["input"]) for row in rows] == [b"cccc", b"bb"]
  assert rows[0]["score"] == pytest.approx(4e-5)


def test_more_than_a_batch_is_read_and_a_few_are_kept(tmp_path):
  examples = [_example(b"x" * n, b"dog") for n in range(1, 131)]
  rows = _written(tmp_path / "m.json", examples)
  assert [len(base64.b64decode(row["input"])) for row in rows] == list(range(130, 106, -1))


def test_a_large_input_is_named_but_not_carried(tmp_path):
  [row] = _written(tmp_path / "m.json", [_example(b"x" * 60_000, b"dog")])
  assert row["input"] is None
  assert row["label"] == "dog"


def test_no_mistake_is_an_empty_list(tmp_path):
  assert _written(tmp_path / "m.json", [_example(b"a", b"cat")]) == []
