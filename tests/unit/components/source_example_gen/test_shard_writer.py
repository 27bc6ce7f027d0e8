"""A shard's file: its examples in the order of their keys, whole under its name."""

import tensorflow as tf

from components.source_example_gen.shard_writer import ShardWriter


def test_examples_stand_in_the_order_of_their_keys(tmp_path):
  final = tmp_path / "train" / "data.gz"
  writer = ShardWriter(final_path=str(final), partial_path=str(tmp_path / "partial" / "data.gz"))
  for key in (b"\x07", b"\x01", b"\x09", b"\x03"):
    writer.add(key, b"example " + key)
  assert not final.exists()
  writer.commit()
  written = tf.data.TFRecordDataset(str(final), compression_type="GZIP").as_numpy_iterator()
  assert [record[-1] for record in written] == [1, 3, 7, 9]
