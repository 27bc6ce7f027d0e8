"""The file of new labels: what it may hold, and what it makes of the cache key."""

import pytest

from components.source_example_gen import relabel, sources
from components.source_example_gen.relabel import NewLabel
from dlpipe.errors import BadInputError
from dlpipe.records import SourcePlan


@pytest.fixture
def file(tmp_path):
  """Returns a function that writes the file."""

  def write(content):
    path = tmp_path / "new.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)

  return write


def test_rows_without_a_new_label_and_other_columns_are_ignored(file):
  path = file('\ufefflabel,new_label,origin\r\na, b ,"x.csv, row 2"\r\na,,y\r\nc,b,z\r\n')
  assert relabel.read(path) == {"x.csv, row 2": "b", "z": "b"}


@pytest.mark.parametrize(
  ("content", "why"),
  [
    ("origin,label\na,b\n", "expected a CSV with the columns origin and new_label"),
    ("", "Received: no columns"),
    ("origin,new_label\na,\n", "has no new_label. Enter the right label"),
    ("origin,new_label\na,b\na,c\n", "line 3: 'a' has two new labels, 'b' and 'c'"),
    (b"origin,new_label\na,\xff\n", "expected a CSV in UTF-8"),
    ('origin,new_label\na,"b', "unexpected end of data"),
    ("origin,new_label\nreviews.csv, row 7,b\n", "line 2 has more fields than the header"),
    ("new_label,origin\nb,\n", "line 2: 'b' has no origin"),
    ("a;b\n1;2\n", "Received: a;b"),
  ],
)
def test_what_cannot_be_read_is_refused(file, content, why):
  with pytest.raises(BadInputError) as refused:
    relabel.read(file(content))
  assert why in str(refused.value)
  assert str(refused.value).startswith("data.relabel='")


def test_a_label_of_another_kind_is_refused(file):
  path = file("origin,new_label\nrow 2,1.5\nrow 3,much\n")
  with pytest.raises(BadInputError, match="the new label of 'row 3': 'much' is no number"):
    relabel.values(path, "pipeline.problems.number.read_label", {})


def test_two_records_of_one_name_are_refused():
  with pytest.raises(BadInputError, match="several records have the origin 'a'"):
    relabel.require_known("f", {"a": NewLabel("x"), "b": NewLabel("x")}, ["a", "b", "a"], {"x"})


def test_labels_of_answers_that_are_no_classes_may_be_any():
  relabel.require_known("f", {"a": NewLabel(2.5)}, ["a"], set())


def test_what_the_file_says_is_a_part_of_the_fingerprint(file, monkeypatch):
  plan = SourcePlan(shards=[], fingerprint="data")
  monkeypatch.setattr(sources, "load_function", lambda path: lambda data, options: plan)
  given = {"plan_fn": "x", "data_path": "d", "options": "{}"}
  assert sources.make_plan(given).fingerprint == "data"
  found = [
    sources.make_plan({**given, "relabel": file(f"origin,new_label,note\na,{label},{note}\n")})
    for label, note in (("b", "1"), ("b", "2"), ("c", "1"))
  ]
  first, same, other = (each.fingerprint for each in found)
  assert first == same
  assert len({"data", first, other}) == 3


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_spreadsheet_may_write_other_marks_between_fields(file, mark):
  rows = (("origin", "label", "new_label"), ('"reviews.csv, row 7"', "a", "b"), ("z", "", ""))
  path = file("\ufeff" + "".join(f"{mark.join(row)}\r\n" for row in rows))
  assert relabel.read(path) == {"reviews.csv, row 7": "b"}


_CLASSES = "pipeline.problems.classes.read_label"
_NUMBER = "pipeline.problems.number.read_label"
_LABELS = "pipeline.problems.labels.read_label"


@pytest.mark.parametrize(
  ("label", "old", "read_label"),
  [
    (b"good", "good", _CLASSES),
    ("1", "1.0", _CLASSES),
    (b"bad", "good", _CLASSES),  # has the new label already
    (b"good", "", _CLASSES),
    (2.5, "2.50", _NUMBER),
    (["good"], "good", _LABELS),
    (["good", "odd"], "odd|good", _LABELS),
    ([b"bad"], "good", _LABELS),  # has the new label already
    # As `dlpipe runs rows` writes them, whatever separates labels in the data.
    (["a|b", "good"], "a|b | good", _LABELS),
    ([], "(none)", _LABELS),
  ],
)
def test_a_record_with_the_label_that_the_file_says_is_relabelled(file, label, old, read_label):
  new = "7" if read_label == _NUMBER else "bad"
  path = file(f"origin,label,new_label\na,{old},{new}\n")
  relabel.require_unchanged("a", label, relabel.values(path, read_label, {})["a"])


@pytest.mark.parametrize(
  ("label", "old", "read_label"),
  [
    (b"other", "good", _CLASSES),
    (None, "good", _CLASSES),
    (3.5, "2.5", _NUMBER),
    (["good"], "good|odd", _LABELS),
    ([], "good", _LABELS),
    (["good"], "(none)", _LABELS),
  ],
)
def test_a_record_that_is_another_one_now_is_refused(file, label, old, read_label):
  new = "7" if read_label == _NUMBER else "bad"
  path = file(f"origin,label,new_label\na,{old},{new}\n")
  with pytest.raises(BadInputError, match=r"was made of other data: 'a' has the label .*says"):
    relabel.require_unchanged("a", label, relabel.values(path, read_label, {})["a"])
