"""Examples on the disk, as a source writes them."""

import itertools

import pytest
import tensorflow as tf

from components.source_example_gen import origins
from components.source_example_gen.origins import Origin

_NUMBERS = itertools.count()


@pytest.fixture
def write_examples(tmp_path):
  """Returns a function that writes inputs and the values of their labels; a third is in eval."""

  def write(inputs, labels, input_key, *, files=1):
    root = tmp_path / f"examples{next(_NUMBERS)}"
    for split, rows in (("train", [0, 1]), ("val", []), ("eval", [2])):
      chosen = [n for n in range(len(inputs)) if n % 3 in rows]
      (root / f"Split-{split}").mkdir(parents=True)
      for file in range(files):
        path = str(root / f"Split-{split}" / f"data-{file}.gz")
        with tf.io.TFRecordWriter(path, options="GZIP") as writer:
          for n in chosen[file::files]:
            writer.write(_example(inputs[n], labels[n], input_key))
        lines = [origins.line(Origin(f"data, row {n}")) for n in chosen[file::files]]
        origins.write(origins.path_beside(path), lines)
    return root

  return write


def _example(value, labels, input_key):
  example = tf.train.Example()
  features = example.features.feature
  features[input_key].bytes_list.value.append(value)
  for label in labels:
    if isinstance(label, float):
      features["label"].float_list.value.append(label)
    else:
      features["label"].bytes_list.value.append(label.encode())
  return example.SerializeToString()
