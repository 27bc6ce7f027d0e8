"""The CSV of suspects that a person reviews, perhaps in a spreadsheet."""

import csv
import io

from components.source_example_gen import relabel
from pipeline.suspects.review import as_csv


def test_no_cell_is_a_formula_and_the_reviewed_file_can_be_read(tmp_path):
  likely = [
    {"origin": "a, row 2", "split": "val", "label": "-1", "suggested": "1", "label_score": 0.1,
     "suggested_score": 0.9, "input": text, "number": 3}
    for text in ('=HYPERLINK("http://x")', "+1 to this", "-5 points", "@me", "fine = good")
  ]  # fmt: skip
  text = as_csv(likely)
  rows = list(csv.DictReader(io.StringIO(text)))
  assert [row["input"][0] for row in rows] == ["'", "'", "'", "'", "f"]
  assert {row["label"] for row in rows} == {"-1"}
  (tmp_path / "s.csv").write_text(text.replace(",-1,,", ",-1,1,", 1), encoding="utf-8")
  path = str(tmp_path / "s.csv")
  assert relabel.read(path) == {"a, row 2": "1"}
  new = relabel.values(path, "pipeline.problems.classes.read_label", {})["a, row 2"]
  assert (new.value, new.old) == ("1", "-1")
