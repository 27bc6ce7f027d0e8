"""The rows of written text that a person reads."""

import json

import tensorflow as tf

from pipeline.problems import samples


def _example(text, target):
  example = tf.train.Example()
  example.features.feature["text"].bytes_list.value.append(text)
  example.features.feature["target"].bytes_list.value.append(target)
  return example.SerializeToString()


def _written(path, count):
  """Row n asks for n and is answered with n in hexadecimal."""
  samples.write(
    path,
    [_example(f"{n}".encode(), f"{n:x}".encode()) for n in range(count)],
    lambda texts: {"answer": tf.strings.as_string(tf.strings.to_number(texts, tf.int32))},
    input_key="text",
    label_key="target",
    prediction_key="answer",
    score=lambda predicted, label: -abs(int(predicted) - int(label, 16)) - int(predicted) / 1e4,
  )
  return json.loads(path.read_text("utf-8"))


def test_a_dozen_as_they_come_and_the_worst_dozen_of_the_others(tmp_path):
  rows = _written(tmp_path / "samples.json", 130)
  assert [row["input"] for row in rows[:12]] == [str(n) for n in range(12)]
  assert not any(row["worst"] for row in rows[:12])
  assert [row["input"] for row in rows[12:]] == [str(n) for n in range(129, 117, -1)]
  assert all(row["worst"] for row in rows[12:])


def test_a_row_has_what_was_asked_wanted_and_written(tmp_path):
  row = _written(tmp_path / "samples.json", 12)[10]
  assert row == {"input": "10", "label": "a", "predicted": "10", "score": -0.001, "worst": False}


def test_no_more_than_the_first_500_are_looked_at(tmp_path):
  rows = _written(tmp_path / "samples.json", 700)
  assert max(int(row["input"]) for row in rows) == 499
