"""Batches of sequences: similar lengths together, cut to the longest, every row once."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.datasets import in_memory, load_split

_ROWS, _TIME = 300, 20
_FIRST_COLUMN = 1000  # what tells rows apart; ids go on behind it


def _arrays():
  rng = np.random.default_rng(5)
  ids = np.zeros((_ROWS, _TIME), np.int64)
  targets = np.zeros((_ROWS, _TIME), np.int64)
  for row in range(_ROWS):
    length = int(rng.integers(1, _TIME))
    ids[row, :length] = rng.integers(1, 50, length)
    ids[row, 0] = _FIRST_COLUMN + row
    targets[row, : max(1, length - 2)] = _FIRST_COLUMN + row
  return ids, targets


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
  ids, targets = _arrays()
  path = str(tmp_path_factory.mktemp("rows") / "rows.gz")
  with tf.io.TFRecordWriter(path, options="GZIP") as writer:
    for row in zip(ids, targets, strict=True):
      example = tf.train.Example()
      for name, values in zip(("ids", "targets"), row, strict=True):
        example.features.feature[name].int64_list.value.extend(values)
      writer.write(example.SerializeToString())
  spec = {name: tf.io.FixedLenFeature([_TIME], tf.int64) for name in ("ids", "targets")}

  def transform(serialized):
    return {**tf.io.parse_example(serialized, spec), "note": tf.fill([tf.size(serialized)], "x")}

  def load(cache_mb):
    return load_split(
      [path],
      transform,
      label_id_key="targets",
      cache_mb=cache_mb,
      cache_dtypes={"ids": "int32"},
      sequence_keys=("ids", "targets"),
      left_out=("note",),
    )

  return {"kept": load(1), "streamed": load(0)}


def _batches(split, seed, batch_size=16):
  return list(split.batches(batch_size, seed).as_numpy_iterator())


def test_the_cache_holds_no_padding_that_no_row_needs(splits):
  ids, targets = _arrays()
  inputs, labels = splits["kept"].arrays
  longest = [(each != 0).sum(axis=1).max() for each in (ids, targets)]
  assert max(longest) < _TIME
  assert [inputs["ids"].shape, labels.shape] == [(_ROWS, each) for each in longest]


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("kind", ["kept", "streamed"])
def test_every_row_comes_once_with_its_label_and_nothing_is_cut_off(splits, kind, seed):
  ids, targets = _arrays()
  seen = []
  for inputs, labels in _batches(splits[kind], seed):
    assert inputs.shape[1] == max((row != 0).sum() for row in inputs)
    assert labels.shape[1] == max((row != 0).sum() for row in labels)
    for row, label in zip(inputs, labels, strict=True):
      number = row[0] - _FIRST_COLUMN
      np.testing.assert_array_equal(row, ids[number][: len(row)])
      assert not ids[number][len(row) :].any()
      np.testing.assert_array_equal(label, targets[number][: len(label)])
      seen.append(int(number))
  assert sorted(seen) == list(range(_ROWS))


@pytest.mark.parametrize("kind", ["kept", "streamed"])
def test_batches_are_of_similar_lengths_and_in_mixed_order(splits, kind):
  batches = [inputs for inputs, _ in _batches(splits[kind], 3)]
  lengths = [(batch != 0).sum(axis=1) for batch in batches]
  assert [len(batch) for batch in batches].count(16) == _ROWS // 16
  assert np.mean([each.max() - each.min() for each in lengths]) < 2
  longest = [each.max() for each in lengths]
  assert longest != sorted(longest)


@pytest.mark.parametrize("kind", ["kept", "streamed"])
def test_each_pass_mixes_anew_and_the_seed_decides_how(splits, kind):
  dataset = splits[kind].batches(16, 3)

  def order(batches):
    return [int(row) for inputs, _ in batches for row in inputs[:, 0]]

  first, second = (order(dataset.as_numpy_iterator()) for _ in range(2))
  assert first != second
  assert order(_batches(splits[kind], 3)) == first
  assert order(_batches(splits[kind], 4)) != first


@pytest.mark.parametrize("kind", ["kept", "streamed"])
def test_the_number_of_batches_is_known_to_keras(splits, kind):
  counted = len(_batches(splits[kind], None))
  assert counted == -(-_ROWS // 16)
  assert int(splits[kind].batches(16, None).cardinality()) in (counted, tf.data.UNKNOWN_CARDINALITY)


def test_smaller_types_are_kept_and_what_is_left_out_is_gone(splits):
  inputs, labels = splits["kept"].arrays
  assert set(inputs) == {"ids"}
  assert inputs["ids"].dtype == np.int32
  assert labels.dtype == np.int64


def test_a_label_that_is_no_sequence_stays_whole():
  split = in_memory(
    {"ids": np.array([[5, 0, 0], [0, 0, 0]])}, np.array([1, 0]), sequence_keys=["ids"]
  )
  [(inputs, labels)] = _batches(split, None)
  assert inputs.tolist() == [[0], [5]]  # an empty sequence has one step of padding
  assert labels.tolist() == [0, 1]


def test_zeros_within_a_sequence_do_not_end_it():
  split = in_memory({"ids": np.array([[5, 0, 7, 0]])}, np.array([1]), sequence_keys=["ids"])
  [(inputs, _)] = _batches(split, None)
  assert inputs.tolist() == [[5, 0, 7]]
