"""The names of records: text that every table can hold."""

import pytest

from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from dlpipe.records import Record


@pytest.mark.parametrize(
  ("origin", "identifier", "name"),
  [
    ("é.csv, row 2", None, Origin("é.csv, row 2")),
    ("caf\udce9.csv, row 2", "caf\udce9", Origin("caf\\udce9.csv, row 2", "caf\\udce9")),
    ("a.csv, row 2", 7, Origin("a.csv, row 2", "7")),
  ],
)
def test_a_name_is_text_whatever_a_source_gives(origin, identifier, name, tmp_path):
  record = Record(features={}, content=b"", split=None, origin=origin, id=identifier)
  origins.write(str(tmp_path / "names"), [origins.line(origins.of(record))])
  [read] = origins.read(str(tmp_path / "names"))
  assert read == name
  "".join(map(str, read)).encode()
