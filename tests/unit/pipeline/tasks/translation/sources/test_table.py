"""Tables of pairs."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected

PAIRS = [("Hi, you", "Salut,\xa0toi"), ("two\nlines", "deux\nlignes"), ('"q"', "«\u202fq\u202f»")]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_gives_the_same_pairs(kind, tmp_path, read_all):
  path = tmp_path / f"x.{kind}"
  if kind in ("csv", "tsv"):
    tab = "," if kind == "csv" else "\t"
    rows = [tab.join('"' + s.replace('"', '""') + '"' for s in pair) for pair in PAIRS]
    path.write_text(f"source{tab}target\n" + "\n".join(rows))
  elif kind == "jsonl":
    path.write_text("".join(json.dumps({"target": t, "source": s}) + "\n" for s, t in PAIRS))
  else:
    sources, targets = zip(*PAIRS, strict=True)
    parquet.write_table(pa.table({"source": sources, "target": targets}), path)
  _, records = read_all("table", path)
  assert [(r.features["text"], r.features["target"]) for r in records] == PAIRS


def test_columns_are_named_or_guessed(tmp_path, read_all):
  path = tmp_path / "x.csv"
  path.write_text("src,tgt,en,part\na,b,c,train\nd,e,f,test\n")
  _, records = read_all("table", path)
  assert [(r.features["text"], r.features["target"]) for r in records] == [("a", "b"), ("d", "e")]
  plan, records = read_all("table", path, source_column="en", split_column="part")
  assert plan.given_splits == ("train", "eval")
  assert [(r.features["text"], r.split) for r in records] == [("c", "train"), ("f", "eval")]
  with pytest.raises(BadInputError, match=r"Expected a column 'fr'.*data\.target_column="):
    read_all("table", path, target_column="fr")


def test_an_empty_side_is_rejected(tmp_path, read_all):
  (tmp_path / "x.jsonl").write_text('{"source": "a"}\n{"source": "a", "target": "b"}\n')
  _, records = read_all("table", tmp_path / "x.jsonl")
  assert records[0] == Rejected(
    origin="x.jsonl, row 1", reason="the target is empty", data=b'{"source": "a"}'
  )


def test_no_rows_are_refused(tmp_path, read_all):
  (tmp_path / "x.csv").write_text("source,target\n")
  with pytest.raises(BadInputError, match="There are none"):
    read_all("table", tmp_path / "x.csv")


def test_ids_and_equal_sides_are_refused(tmp_path, read_all):
  path = tmp_path / "x.csv"
  path.write_text("source,target,en\n" + "".join(f"{n},Bonjour {n},Hello {n}\n" for n in range(9)))
  with pytest.raises(BadInputError, match=r"Found numbers in column 'source'.*data.source_column="):
    read_all("table", path)
  plan, _ = read_all("table", path, source_column="en")
  assert plan.recognized.fields == {"source": "column 'en'", "target": "column 'target'"}
  # What is named is taken as it is.
  assert len(read_all("table", path, source_column="source", target_column="en")[1]) == 9
  path.write_text("source,target\n" + "".join(f"Hello {n},Hello {n}\n" for n in range(9)))
  with pytest.raises(BadInputError, match="column 'source' and column 'target' are equal"):
    read_all("table", path)


def test_columns_may_be_counted(tmp_path, read_all):
  (tmp_path / "x.csv").write_text("id,en,fr\n1,Hello,Salut\n2,Bye,Adieu\n")
  counted = {"source_column": 2, "target_column": 3}
  with pytest.raises(
    BadInputError, match=r"a column '2'.* where the first row is data: .*header=fa"
  ):
    read_all("table", tmp_path / "x.csv", **counted)
  _, records = read_all("table", tmp_path / "x.csv", **counted, header=True)
  assert [(r.features["text"], r.features["target"]) for r in records] == [
    ("Hello", "Salut"),
    ("Bye", "Adieu"),
  ]
