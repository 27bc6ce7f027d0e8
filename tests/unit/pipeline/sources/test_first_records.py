"""An input of which nothing can be used is refused with the reason of its first row."""

from __future__ import annotations

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.sources import first_records
from pipeline.tasks.translation.sources import SOURCES
from pipeline.tasks.translation.sources.options import PairOptions

GOOD = Record(features={}, content=b"", split=None, origin="x, row 2")
BAD = Rejected(origin="x, row 1", reason="the target is no valid UTF-8: byte 0xE9")


def test_one_record_is_enough():
  first_records.require_one([BAD, GOOD], source="x")
  first_records.require_one([], source="x")


def test_reading_ends_with_the_first_usable_record():
  def records():
    yield GOOD
    raise AssertionError

  first_records.require_one(records(), source="x")


@pytest.mark.parametrize(
  ("source", "files"),
  [
    ("table", {"x.csv": "source,target\n" + "Hello,Déjà vu\n" * 4}),
    ("tsv", {"x.tsv": "Hello\tDéjà vu\n" * 4}),
    ("aligned", {"x.en": "Hello\n" * 4, "x.fr": "Déjà vu\n" * 4}),
  ],
)
def test_pairs_in_another_encoding_are_refused_with_the_remedy(source, files, tmp_path):
  # mlflow/mlflow#9150, tensorflow/models#11119.
  for name, text in files.items():
    (tmp_path / name).write_bytes(text.encode("latin-1"))
  options = PairOptions.defaults()
  if source == "aligned":
    options |= {"source_language": "en", "target_language": "fr"}
  with pytest.raises(BadInputError, match=r"no valid UTF-8: byte 0xE9.*iconv -f CP1252 -t UTF-8"):
    SOURCES[source].plan(str(tmp_path), options)
