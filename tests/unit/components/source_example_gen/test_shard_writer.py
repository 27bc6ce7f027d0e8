"""A shard's files: examples in the order of their keys, origins beside them, whole under a name."""

import tensorflow as tf

from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from components.source_example_gen.shard_writer import ShardWriter


def test_examples_and_origins_stand_in_the_order_of_their_keys(tmp_path):
  final = tmp_path / "Split-train" / "data.gz"
  writer = ShardWriter(final_path=str(final), partial_path=str(tmp_path / "partial" / "data.gz"))
  for key in (b"\x07", b"\x01", b"\x09", b"\x03"):
    given = "id 7" if key == b"\x07" else None
    writer.add(key, b"example " + key, Origin(f"ä.csv, row {key[0]}", given))
  assert not (tmp_path / "Split-train").exists()
  assert not (tmp_path / "origins").exists()
  writer.commit()
  written = tf.data.TFRecordDataset(str(final), compression_type="GZIP").as_numpy_iterator()
  assert [record[-1] for record in written] == [1, 3, 7, 9]
  assert list(origins.read(origins.path_beside(str(final)))) == [
    Origin("ä.csv, row 1"),
    Origin("ä.csv, row 3"),
    Origin("ä.csv, row 7", "id 7"),
    Origin("ä.csv, row 9"),
  ]
