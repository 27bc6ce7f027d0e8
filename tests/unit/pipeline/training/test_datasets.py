"""`datasets`: the same examples from memory and from files, shuffled anew in each epoch."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.images.task import TASK
from pipeline.training.datasets import in_memory, load_split, raw_examples, traced, transform_fn


def _load(graph, cache_mb, **changes):
  arguments = {"label_id_key": "label_id", "cache_mb": cache_mb, "cache_dtypes": TASK.cache_dtypes}
  return load_split(graph.files, transform_fn(graph.output), **{**arguments, **changes})


@pytest.fixture(scope="module")
def kept(graph):
  return _load(graph, 1)


@pytest.fixture(scope="module")
def streamed(graph):
  return _load(graph, 0)


@pytest.fixture
def splits(kept, streamed):
  return {"kept": kept, "streamed": streamed}


def _rows(split, batch_size=6, seed=None):
  """One pass: all pictures as float64, all labels, and the batches' sizes."""
  batches = list(split.batches(batch_size, seed).as_numpy_iterator())
  pictures = np.concatenate([inputs for inputs, _ in batches]).astype("float64")
  return pictures, np.concatenate([labels for _, labels in batches]), [len(b) for _, b in batches]


def test_the_cache_limit_decides_what_is_kept(kept, streamed):
  assert streamed.arrays is None
  inputs, labels = kept.arrays
  assert inputs["pixels"].shape == (20, 12, 12, 3)
  assert inputs["pixels"].dtype == np.uint8
  assert labels.dtype == np.int64
  assert kept.size == streamed.size == 20


def test_a_limit_that_is_reached_while_reading_keeps_nothing(tmp_path, graph):
  # 432 bytes a picture and 8 a label: a megabyte is passed in the tenth batch of 256.
  path = str(tmp_path / "many.gz")
  with tf.io.TFRecordWriter(path, options="GZIP") as writer:
    for index in range(2500):
      writer.write(graph.examples[index % 20])
  split = _load(dataclasses.replace(graph, files=[path]), 1)
  assert split.arrays is None
  assert split.size == 2500


def test_memory_and_files_give_the_same_examples_in_the_same_order(kept, streamed, graph):
  pictures, labels, sizes = _rows(kept)
  same_pictures, same_labels, same_sizes = _rows(streamed)
  np.testing.assert_array_equal(pictures, same_pictures)
  np.testing.assert_array_equal(labels, same_labels)
  assert sizes == same_sizes == [6, 6, 6, 2]
  assert [("cat", "dog")[i] for i in labels] == graph.labels


def test_pictures_are_what_the_transform_graph_makes_of_them(streamed, graph):
  pictures, _, _ = _rows(streamed)
  decoded = [tf.io.decode_png(p).numpy() for p in graph.pictures]
  np.testing.assert_array_equal(pictures, decoded)


@pytest.mark.parametrize("kind", ["kept", "streamed"])
def test_each_epoch_has_every_example_once_in_another_order(splits, kind):
  dataset = splits[kind].batches(6, 7)
  epochs = [np.concatenate([inputs for inputs, _ in dataset.as_numpy_iterator()]) for _ in range(3)]
  plain, _, _ = _rows(splits[kind])

  def order(epoch):
    return [int(np.flatnonzero((plain == picture).all((1, 2, 3)))[0]) for picture in epoch]

  orders = [order(epoch) for epoch in epochs]
  assert all(sorted(o) == list(range(20)) for o in orders)
  assert len({tuple(o) for o in orders}) == 3
  assert list(range(20)) not in orders


@pytest.mark.parametrize("kind", ["kept", "streamed"])
def test_no_epoch_waits_for_the_sleep_of_a_tuner(splits, kind):
  # Of tf.data's tuning: its thread sleeps up to a minute, and the end of an iterator waits for it.
  assert splits[kind].batches(6, 1).options().autotune.enabled is False


@pytest.mark.parametrize("kind", ["kept", "streamed"])
def test_the_seed_decides_the_order_and_labels_stay_with_their_pictures(splits, kind):
  plain, plain_labels, _ = _rows(splits[kind])
  first, labels, _ = _rows(splits[kind], seed=7)
  again, _, _ = _rows(splits[kind], seed=7)
  other, _, _ = _rows(splits[kind], seed=8)
  np.testing.assert_array_equal(first, again)
  assert not np.array_equal(first, other)
  label_of = {p.tobytes(): i for p, i in zip(plain, plain_labels, strict=True)}
  assert [label_of[p.tobytes()] for p in first] == list(labels)


def test_an_empty_split_is_an_error_that_names_the_files(tmp_path, graph):
  empty = str(tmp_path / "empty.gz")
  tf.io.TFRecordWriter(empty, options="GZIP").close()
  with pytest.raises(ValueError, match=f"no examples.*{empty}"):
    load_split(
      [empty],
      transform_fn(graph.output),
      label_id_key="label_id",
      cache_mb=1,
      cache_dtypes=TASK.cache_dtypes,
    )


def test_patterns_find_every_file_once_in_a_fixed_order(tmp_path, graph):
  for name, rows in (("b.gz", graph.examples[3:]), ("a.gz", graph.examples[:3])):
    with tf.io.TFRecordWriter(str(tmp_path / name), options="GZIP") as writer:
      for row in rows:
        writer.write(row)
  found = load_split(
    [str(tmp_path / "*.gz")],
    transform_fn(graph.output),
    label_id_key="label_id",
    cache_mb=1,
    cache_dtypes=TASK.cache_dtypes,
  )
  _, labels, _ = _rows(found)
  assert [("cat", "dog")[i] for i in labels] == graph.labels
  paths = [str(tmp_path / "a.gz"), str(tmp_path / "b.gz")]
  assert list(raw_examples(paths).as_numpy_iterator()) == graph.examples


def test_transform_gives_every_feature(graph):
  features = transform_fn(graph.output)(tf.constant(graph.examples[:3]))
  assert set(features) == {"pixels", "label_id"}
  assert features["pixels"].dtype == tf.float32
  assert features["label_id"].numpy().tolist() == [0, 1, 0]


def test_several_inputs_stay_a_dict_and_one_becomes_a_tensor():
  labels = np.array([0, 1])
  one = in_memory({"a": np.array([[1.0], [2.0]])}, labels).batches(2, None)
  assert one.element_spec[0].shape.as_list() == [None, 1]
  two = in_memory({"a": np.array([1.0, 2.0]), "b": np.array([3, 4])}, labels).batches(2, None)
  [(inputs, targets)] = two.as_numpy_iterator()
  assert {k: v.tolist() for k, v in inputs.items()} == {"a": [1.0, 2.0], "b": [3, 4]}
  assert targets.tolist() == [0, 1]


def test_arrays_without_rows_are_an_error():
  with pytest.raises(ValueError, match="no examples"):
    in_memory({"a": np.zeros((0, 1))}, np.zeros(0))


def test_one_graph_answers_batches_of_every_length():
  rows = {"ids": np.tril(np.ones((5, 5), np.int64)), "more": np.arange(5.0)}
  split = in_memory(rows, np.arange(5), sequence_keys=("ids",))
  traces = []

  def lengths(inputs):
    traces.append(inputs["ids"].shape)
    return tf.reduce_sum(inputs["ids"], axis=1)

  ask = traced(lengths, split, 2)
  found = np.concatenate([ask(inputs).numpy() for inputs, _ in split.batches(2, None)])
  assert sorted(found) == [1, 2, 3, 4, 5]
  assert len({inputs["ids"].shape for inputs, _ in split.batches(2, None)}) > 1
  assert len(traces) == 1
