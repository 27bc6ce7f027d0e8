"""The name of a record, and its parts."""

import pytest

from pipeline.sources import origins
from pipeline.sources.origins import Place


@pytest.mark.parametrize(
  ("origin", "place"),
  [
    (origins.of_row("a, row 3.csv", 12), Place("a, row 3.csv", 12, False)),
    (origins.of_record("train-idx3-ubyte", 0), Place("train-idx3-ubyte", 0, False)),
    (
      origins.of_named_file(origins.of_row("p.csv", 2), "cats: all/1, row 2.jpg"),
      Place("cats: all/1, row 2.jpg", 2, True),
    ),
    ("cats/one [1].jpg", Place("cats/one [1].jpg", None, True)),
    ("a\nb.txt", Place("a\nb.txt", None, True)),
  ],
)
def test_what_is_written_is_read(origin, place):
  assert origins.place(origin) == place
