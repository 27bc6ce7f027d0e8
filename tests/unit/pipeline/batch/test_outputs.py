"""Names, refusals, and files that appear whole or not at all."""

import json
import math
import pathlib

import numpy as np
import pyarrow as pa
import pytest

from dlpipe.errors import BadInputError, BusyError
from pipeline.batch import text_format, values
from pipeline.batch.columns import Layout, ModelOutput, make_layout
from pipeline.batch.outputs import OutputPlan, plan_output, publish, staging

LABEL = ModelOutput(name="label", dtype="string", is_vector=False)
SCORE = ModelOutput(name="score", dtype="float32", is_vector=False)
SCORES = ModelOutput(name="scores", dtype="float32", is_vector=True)


def _layout(*names):
  return Layout(inputs=names[:-1], outputs={}, error=names[-1], types={})


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("out.json", "--output must end with .jsonl, .csv, .parquet: that names its format"),
    ("in.csv", "lies in the input"),
    ("there.csv", "exists. Name another --output, or add --overwrite."),
    ("folder.csv", "Expected a file name as --output"),
  ],
)
def test_outputs_that_cannot_be_are_refused(tmp_path, name, message):
  (tmp_path / "in.csv").write_text("a\n")
  (tmp_path / "there.csv").write_text("a\n")
  (tmp_path / "folder.csv").mkdir()
  with pytest.raises(BadInputError, match=message):
    plan_output(str(tmp_path / name), input_path=str(tmp_path / "in.csv"))


def test_an_output_within_a_folder_of_inputs_is_refused(tmp_path):
  (tmp_path / "in").mkdir()
  with pytest.raises(BadInputError, match="lies in the input"):
    plan_output(str(tmp_path / "in" / "out.csv"), input_path=str(tmp_path / "in"))
  plan_output(str(tmp_path / "in-out.csv"), input_path=str(tmp_path / "in"))


def test_shards_of_another_number_are_in_the_way_too(tmp_path):
  old = tmp_path / "a[1]-00001-of-00005.csv"
  old.write_text("old")
  path = str(tmp_path / "a[1].csv")
  plan_output(path, input_path="in.csv")
  with pytest.raises(BadInputError, match="00001-of-00005.csv' exists"):
    plan_output(path, input_path="in.csv", shards=2)
  plan = plan_output(path, input_path="in.csv", shards=2, overwrite=True)
  with staging(plan) as work:
    (pathlib.Path(work) / "p").write_bytes(b"1\r\n2\r\n3\r\n")
    publish(plan, [(f"{work}/p", 3)], _layout("id", "error"), work)
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    "a[1]-00000-of-00002.csv",
    "a[1]-00001-of-00002.csv",
  ]
  assert (tmp_path / "a[1]-00001-of-00002.csv").read_text() == "id,error\n2\n3\n"


def test_staging_clears_what_a_killed_batch_left(tmp_path):
  plan = OutputPlan(path=str(tmp_path / "new" / "out.jsonl"))
  left = pathlib.Path(plan.work_dir) / "parts" / "old"
  left.parent.mkdir(parents=True)
  left.write_text("old")
  with staging(plan) as work:
    assert list(pathlib.Path(work).iterdir()) == []
  assert list((tmp_path / "new").iterdir()) == []


def test_one_output_is_written_by_one_batch(tmp_path):
  plan = OutputPlan(path=str(tmp_path / "out.jsonl"))
  with staging(plan) as work:
    with pytest.raises(BusyError, match="Another batch is writing"), staging(plan):
      pass
    assert pathlib.Path(work).is_dir()


def test_an_error_leaves_what_was_there(tmp_path):
  (tmp_path / "out.jsonl").write_text("old")
  plan = OutputPlan(path=str(tmp_path / "out.jsonl"), overwrite=True)
  with pytest.raises(FileNotFoundError), staging(plan) as work:
    publish(plan, [(f"{work}/absent", 3)], _layout("id", "error"), work)
  assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
  assert (tmp_path / "out.jsonl").read_text() == "old"


def test_names_that_the_input_has_are_the_inputs():
  layout = make_layout(
    ["id", "label", "error", "predicted_label"],
    [LABEL, SCORE, SCORES],
    vectors=False,
    input_types={},
  )
  assert layout.outputs == {"label": "predicted_predicted_label", "score": "score"}
  assert layout.error == "prediction_error"
  assert layout.renamed == {
    "label": "predicted_predicted_label",
    "error": "prediction_error",
  }
  assert layout.names[4:] == ["predicted_predicted_label", "score", "prediction_error"]
  everything = make_layout(["id"], [LABEL, SCORE, SCORES], vectors=True, input_types={})
  assert everything.names == ["id", "label", "score", "scores", "error"]
  assert everything.renamed == {}


def test_a_set_is_written_without_being_asked_for():
  sets = ModelOutput(name="set", dtype="string", is_vector=True)
  layout = make_layout(["id"], [LABEL, sets, SCORES], vectors=False, input_types={})
  assert layout.names == ["id", "label", "set", "error"]
  assert layout.types["set"] == pa.list_(pa.string())


def test_a_set_loses_what_only_fills_its_row():
  found = {"set": np.array([[b"a", b""], [b"a", b"b"]], object), "score": np.float32([0.5, 1])}
  columns = values.plain_columns(found, ["set", "score"])
  assert columns == {"set": [["a"], ["a", "b"]], "score": [0.5, 1.0]}


def test_json_lines_hold_what_json_has_no_word_for(tmp_path):
  values = [math.nan, [math.inf, 1.5], {"a": -math.inf}, "\ud800", b"\xff", 2**70, "a\u2028\x85b"]
  text_format.write_jsonl(
    str(tmp_path / "p"), _layout("v", "error"), [values, [None] * len(values)]
  )
  lines = (tmp_path / "p").read_text(encoding="utf-8").splitlines()
  assert len(lines) == len(values)
  assert [json.loads(line)["v"] for line in lines] == [
    None,
    [None, 1.5],
    {"a": None},
    "\ud800",
    "\\xff",
    2**70,
    "a\u2028\x85b",
  ]


def test_csv_cells_are_what_a_spreadsheet_reads(tmp_path):
  values = [None, True, 1.5, ["a", 1], {"k": "ü"}, 'say "hi"', "a\rb", b"x"]
  text_format.write_csv(str(tmp_path / "p"), _layout("v", "error"), [values, [7] * len(values)])
  assert (tmp_path / "p").read_bytes().decode().split("\r\n") == [
    ",7",
    "true,7",
    "1.5,7",
    '"[""a"", 1]",7',
    '"{""k"": ""ü""}",7',
    '"say ""hi""",7',
    '"a\rb",7',
    "x,7",
    "",
  ]


@pytest.mark.parametrize("targets", [[5], [2, 3], [0, 1, 4], [1, 1, 1, 1, 1], [3, 0, 2]])
def test_joining_cuts_between_records_and_nowhere_else(tmp_path, targets):
  records = ['1,"a\r\nb"\r\n', "2,\r\n", '3,"""\n"""\r\n', "4,x\r\n", '5,"\r\n"\r\n']
  parts = []
  for name, some in (("p0", records[:3]), ("p1", []), ("p2", records[3:])):
    (tmp_path / name).write_bytes("".join(some).encode())
    parts.append((str(tmp_path / name), len(some)))
  files = [(str(tmp_path / f"t{n}"), rows) for n, rows in enumerate(targets)]
  text_format.join_csv(parts, files, _layout("id", "error"))
  start = 0
  for path, rows in files:
    expected = "id,error\r\n" + "".join(records[start : start + rows])
    assert pathlib.Path(path).read_bytes().decode() == expected
    start += rows


def test_csv_holds_no_nul(tmp_path):
  layout = Layout(inputs=("id",), outputs={}, error="error", types={})
  text_format.write_csv(str(tmp_path / "x"), layout, [["a\0b", b"\0\xe9"], [None, None]])
  assert (tmp_path / "x").read_text() == "a\\x00b,\n\\x00\\xe9,\n"
