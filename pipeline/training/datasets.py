"""Turns raw tf.Examples into batches for Keras, through the transform graph; used by every task.

Training runs the same graph that is exported, so it cannot preprocess differently from serving. A
split that fits into `cache_mb` is transformed once and kept as arrays; a larger one is read,
shuffled and transformed again in each epoch. Batches of sequences hold rows of similar length and
are cut to the longest of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from dlpipe import progress

_TRANSFORM_BATCH = 256
_SHUFFLE_BUFFER = 10_000
# Streamed sequences are sorted by length within windows of this many batches.
_WINDOW_BATCHES = 64
_REPORT_EVERY = 10_000
_LABEL = "label of the split"  # no feature's name


def traced(function: Callable[[Any], Any], split: Split, batch_size: int) -> Callable[[Any], Any]:
  """Returns a function of inputs as one graph for batches of every length.

  To trace a reader of texts takes longer than its answers to thousands of them.

  Args:
    function: `inputs -> outputs`.
    split: a split that has such inputs.
    batch_size: the most rows of a batch.
  """
  inputs, _ = split.batches(batch_size, None).element_spec
  return tf.function(function, input_signature=[inputs], autograph=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
  """One split, transformed.

  Attributes:
    size: number of examples.
    batches: `(batch_size, shuffle seed or None) -> tf.data.Dataset` of `(inputs, label)`; one pass.
    arrays: inputs and labels if the split is kept in memory, else None.
  """

  size: int
  batches: Callable[[int, int | None], tf.data.Dataset]
  arrays: tuple[dict[str, np.ndarray], np.ndarray] | None = None


def load_split(
  files: Sequence[str],
  transform: Callable[[tf.Tensor], dict[str, tf.Tensor]],
  *,
  label_id_key: str,
  cache_mb: int,
  cache_dtypes: Mapping[str, str],
  sequence_keys: Sequence[str] = (),
  left_out: Sequence[str] = (),
) -> Split:
  """Reads one split of raw examples through the transform graph.

  Args:
    files: gzipped TFRecord files, or patterns of them.
    transform: the result of `transform_fn`; every transformed feature must be dense.
    label_id_key: the transformed feature to predict; all others are the model's inputs.
    cache_mb: the most transformed features to keep in memory, in MiB.
    cache_dtypes: a smaller dtype by feature; it must hold the feature's values exactly.
    sequence_keys: features that are token ids, padded with 0.
    left_out: transformed features that the model does not read.

  Raises:
    ValueError: the split has no examples.
  """
  paths = sorted(path for pattern in files for path in tf.io.gfile.glob(pattern))

  def kept(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    return {k: v for k, v in transform(serialized).items() if k not in left_out}

  def compact(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    rows = {k: tf.cast(v, cache_dtypes.get(k, v.dtype)) for k, v in kept(serialized).items()}
    # The padding of short texts would fill the cache.
    for key, lengths in _lengths(rows, [key for key in sequence_keys if key in rows]).items():
      rows[key] = rows[key][:, : tf.maximum(tf.reduce_max(lengths), 1)]
    return rows

  transformed = (
    raw_examples(paths).batch(_TRANSFORM_BATCH).map(compact, num_parallel_calls=tf.data.AUTOTUNE)
  )
  cached = _collect(transformed.prefetch(2), limit_bytes=cache_mb << 20)
  if cached is not None:
    labels = cached.pop(label_id_key)
    return in_memory(
      cached, labels, sequence_keys=sequence_keys, label_is_sequence=label_id_key in sequence_keys
    )
  size = int(raw_examples(paths).reduce(np.int64(0), lambda count, _: count + 1))
  if not size:
    raise ValueError(f"The split has no examples. Received: files={list(files)!r}")

  def batches(batch_size: int, seed: int | None) -> tf.data.Dataset:
    serialized = raw_examples(paths)
    if seed is not None:
      serialized = serialized.shuffle(_SHUFFLE_BUFFER, seed=seed)
    if not sequence_keys:
      rows = serialized.batch(batch_size).map(kept, num_parallel_calls=tf.data.AUTOTUNE)
    else:
      windows = serialized.batch(batch_size * _WINDOW_BATCHES)
      rows = windows.map(kept, num_parallel_calls=tf.data.AUTOTUNE).flat_map(
        lambda window: _by_length(
          window, _lengths(window, sequence_keys), batch_size, seed, fixed_order=True
        )
      )
      rows = rows.apply(tf.data.experimental.assert_cardinality(-(-size // batch_size)))
    return _untuned(
      rows.map(lambda features: _inputs_and_label(features, label_id_key)).prefetch(
        tf.data.AUTOTUNE
      )
    )

  return Split(size=size, batches=batches)


def in_memory(
  inputs: Mapping[str, np.ndarray],
  labels: np.ndarray,
  *,
  sequence_keys: Sequence[str] = (),
  label_is_sequence: bool = False,
) -> Split:
  """Makes a split from arrays; each epoch shuffles indices instead of examples.

  Args:
    inputs: `[size, ...]` each.
    labels: `[size, ...]`.
    sequence_keys: as for `load_split`; names that `inputs` lacks are ignored.
    label_is_sequence: whether `labels` are token ids, too.
  """
  size = len(labels)
  if not size:
    raise ValueError("The split has no examples.")
  inputs = dict(inputs)
  features = {**inputs, _LABEL: labels}
  sequences = [k for k in sequence_keys if k in inputs] + [_LABEL] * label_is_sequence

  def batches(batch_size: int, seed: int | None) -> tf.data.Dataset:
    # Tensors captured by the map are shared by all epochs; from_tensor_slices would copy a row
    # at a time. On a GPU, tf.data would copy the whole split back, so they stay on the CPU.
    with tf.device("CPU:0"):
      tensors = {name: tf.constant(array) for name, array in features.items()}
      if sequences:
        rows = _by_length(tensors, _lengths(tensors, sequences), batch_size, seed)
      else:
        indices = tf.data.Dataset.range(size)
        if seed is not None:
          indices = indices.shuffle(size, seed=seed, reshuffle_each_iteration=True)
        rows = indices.batch(batch_size).map(
          lambda index: {name: tf.gather(tensor, index) for name, tensor in tensors.items()},
          num_parallel_calls=1,
        )
      return _untuned(rows.map(lambda batch: _inputs_and_label(batch, _LABEL)).prefetch(2))

  return Split(size=size, batches=batches, arrays=(inputs, labels))


def _untuned(batches: tf.data.Dataset) -> tf.data.Dataset:
  """Returns the batches without the thread that tunes parallelism and buffers in tf.data.

  It sleeps between its looks, twice as long each time, up to a minute. If an epoch ends meanwhile,
  the next one may have to wait until it wakes. A parallel map takes a thread per processor then.
  """
  options = tf.data.Options()
  options.autotune.enabled = False
  return batches.with_options(options)


def _lengths(
  features: Mapping[str, tf.Tensor], sequence_keys: Sequence[str]
) -> dict[str, tf.Tensor]:
  """Returns the number of tokens in every row, `[size]` int64 by feature, without the padding."""
  return {
    key: tf.reduce_max(
      tf.where(
        features[key] != 0, tf.range(1, tf.shape(features[key], tf.int64)[1] + 1)[tf.newaxis], 0
      ),
      axis=1,
    )
    for key in sequence_keys
  }


def _by_length(
  features: Mapping[str, tf.Tensor],
  lengths: Mapping[str, tf.Tensor],
  batch_size: int,
  seed: int | None,
  *,
  fixed_order: bool = False,
) -> tf.data.Dataset:
  """Returns one pass over the rows, in batches of similar length, cut to their longest row.

  With a seed, each pass shuffles the rows of one length and the order of the batches anew.
  `fixed_order` repeats the same order in each pass, for rows that are already shuffled.
  """
  size = tf.shape(next(iter(features.values())), tf.int64)[0]
  starts = tf.range(0, size, batch_size, dtype=tf.int64)

  def one_pass(pass_seed: tf.Tensor) -> tf.data.Dataset:
    order, begins = tf.range(size), starts
    if seed is not None:
      seeds = tf.stack([pass_seed, 0])
      order = tf.random.experimental.stateless_shuffle(order, seeds)
      begins = tf.random.experimental.stateless_shuffle(begins, seeds)
    # Stable sorts: the most important key comes last.
    for length in reversed(list(lengths.values())):
      order = tf.gather(order, tf.argsort(tf.gather(length, order), stable=True))

    def cut(begin: tf.Tensor) -> dict[str, tf.Tensor]:
      index = order[begin : begin + batch_size]
      batch = {name: tf.gather(tensor, index) for name, tensor in features.items()}
      for name, length in lengths.items():
        # Some layers fail on a sequence of length 0.
        longest = tf.maximum(tf.reduce_max(tf.gather(length, index)), 1)
        batch[name] = batch[name][:, :longest]
      return batch

    return tf.data.Dataset.from_tensor_slices(begins).map(cut, num_parallel_calls=1)

  if fixed_order or seed is None:
    return one_pass(tf.constant(seed or 0, tf.int64))
  seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).take(1)
  return seeds.flat_map(one_pass)


def raw_examples(paths: Sequence[str]) -> tf.data.Dataset:
  """Reads the serialized tf.Examples of gzipped TFRecord files, in a fixed order."""
  return tf.data.TFRecordDataset(list(paths), compression_type="GZIP")


def transform_fn(
  tft_output: tft.TFTransformOutput,
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
  """Returns the function from `[batch]` serialized examples to transformed features.

  All datasets share one trace of it, because loading the graph costs seconds.
  """
  layer = tft_output.transform_features_layer()
  spec = tft_output.raw_feature_spec()

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
  def transform(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    return dict(layer(tf.io.parse_example(serialized, spec)))

  return transform


def _inputs_and_label(features: dict[str, tf.Tensor], label_id_key: str) -> tuple[Any, tf.Tensor]:
  label = features.pop(label_id_key)
  return single(features), label


def single(features: dict[str, Any]) -> Any:
  """Returns the tensor itself if there is one feature: Keras 3 expects no dict of one input.

  >>> single({"x": 1}), single({"x": 1, "y": 2})
  (1, {'x': 1, 'y': 2})
  """
  return next(iter(features.values())) if len(features) == 1 else features


def _collect(batches: tf.data.Dataset, *, limit_bytes: int) -> dict[str, np.ndarray] | None:
  """Concatenates all batches; returns None if they exceed the limit or there are none."""
  parts: dict[str, list[np.ndarray]] = {}
  used = rows = reported = 0
  for batch in batches.as_numpy_iterator():
    for name, array in batch.items():
      parts.setdefault(name, []).append(array)
      used += array.nbytes
      count = len(array)
    rows += count
    if used > limit_bytes:
      return None
    if rows - reported >= _REPORT_EVERY:
      reported = rows
      progress.report(f"{rows:,} examples prepared", examples=rows)
  # pop() frees the parts of each feature before the next feature is joined.
  return {name: _joined(parts.pop(name)) for name in list(parts)} or None


def _joined(parts: list[np.ndarray]) -> np.ndarray:
  """Concatenates arrays; sequences that were cut to different lengths are padded with 0."""
  if parts[0].ndim < 2:
    return np.concatenate(parts)
  longest = max(part.shape[1] for part in parts)
  joined = np.zeros((sum(map(len, parts)), longest, *parts[0].shape[2:]), parts[0].dtype)
  row = 0
  for part in parts:
    joined[row : row + len(part), : part.shape[1]] = part
    row += len(part)
  return joined
