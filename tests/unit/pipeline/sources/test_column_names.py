"""A column that is not there, and the one that was meant."""

import pytest

from dlpipe.errors import BadInputError
from pipeline.sources.column_names import meant
from pipeline.tasks import get_task


@pytest.mark.parametrize(
  ("column", "names", "expected"),
  [
    ("labell", ["id", "label"], " Did you mean 'label'?"),
    ("label", ["Text", "Label "], " Did you mean 'Label '?"),
    ("stars", ["id", "text"], ""),
    ("label", [], ""),
  ],
)
def test_the_nearest_is_named_whatever_its_case(column, names, expected):
  assert meant(column, names) == expected


@pytest.mark.parametrize(
  ("task", "header"), [("images", "path,label"), ("sentiment", "text,label")]
)
def test_tables_of_pictures_and_of_texts_name_it(tmp_path, task, header):
  (tmp_path / "a.csv").write_text(f"{header}\na.png,cat\nb.png,dog\n")
  known = get_task(task)
  source = next(s for s in known.sources.values() if s.matches(str(tmp_path / "a.csv")))
  options = {**known.data_options.defaults(), "label_column": "labell"}
  with pytest.raises(BadInputError, match="Expected a column 'labell' .* Did you mean 'label'?"):
    source.plan(str(tmp_path / "a.csv"), options)
