"""What is picked becomes data again: by hand in a CSV, by Label Studio, or by the caller's ids."""

import base64
import csv
import dataclasses
import json

import pytest

from dlpipe.errors import BadInputError
from pipeline.batch.requests import reading, writing
from pipeline.batch.requests.reading import LoggedRow
from pipeline.problems.labels import PROBLEM as SEVERAL
from pipeline.tasks import get_task

PNG = b"\x89PNG rest"
TEXT = 'He said "no",\nand left.'


def _data(task, path):
  """The records that a run reads from a table, by the task's own source."""
  source = task.sources["manifest" if "manifest" in task.sources else "table"]
  options = task.data_options.defaults()
  shards = source.plan(str(path), options).shards
  return [record for shard in shards for record in source.read(shard, options)]


def test_a_filled_csv_is_data(write_log, tmp_path):
  task = get_task("sentiment")
  log = write_log(
    (TEXT, "pos", 0.6), ("dull", "neg", 0.7), ("fine", "pos", 0.8), ("bad", "neg", 0.9)
  )
  rows = list(reading.read(reading.log_of(log, "sentiment"), "text", tell=print))
  path = tmp_path / "picked.csv"
  writing.write(rows, task, path)
  with path.open(newline="") as file:
    table = list(csv.DictReader(file))
  assert list(table[0]) == [
    *("id", "text", "label", "predicted", "score", "version", "why", "at", "client_id")
  ]
  assert [row["label"] for row in table] == [""] * 4
  assert (table[0]["predicted"], table[0]["score"], table[0]["version"]) == ("pos", "0.6", "3")
  for row in table:
    row["label"] = "neg" if row["predicted"] == "pos" else "pos"
  with path.open("w", newline="") as file:
    writer = csv.DictWriter(file, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
  assert [(r.features["text"], r.features["label"]) for r in _data(task, path)] == [
    (TEXT, "neg"),
    ("dull", "pos"),
    ("fine", "neg"),
    ("bad", "pos"),
  ]


def test_labels_are_joined_by_the_rows_id_or_the_callers(tmp_path):
  task = get_task("sentiment")
  rows = [
    LoggedRow(id="a", client_id="order-1", value=b"fine"),
    LoggedRow(id="b/0", client_id="order-2", value=b"one of two"),
    LoggedRow(id="b/1", client_id="order-2", value=b"two of two"),
    LoggedRow(id="c", client_id="order-3"),
    LoggedRow(id="d", value=b"dull"),
    LoggedRow(id="e", value=b"good"),
  ]
  labels = tmp_path / "labels.csv"
  labels.write_text(
    "id,outcome,label\norder-1,pos,\norder-2,pos,\nb/1,neg,\norder-3,pos,\nd,neg,\ne,pos,\n"
  )
  given = writing.read_labels(labels, "outcome")
  found, strangers, shared = writing.joined(rows, given)
  assert shared == []
  assert [(row.id, label) for row, label in found] == [
    ("a", "pos"),
    ("b/1", "neg"),
    ("d", "neg"),
    ("e", "pos"),
  ]
  assert strangers == ["order-2", "order-3"], "two rows, and no input"
  writing.write_labelled(found, task, tmp_path / "new.csv")
  assert [r.features["label"] for r in _data(task, tmp_path / "new.csv")] == [
    "pos",
    "neg",
    "neg",
    "pos",
  ]
  with pytest.raises(
    BadInputError, match="Expected the columns id and verdict in .*id, outcome, la"
  ):
    writing.read_labels(labels, "verdict")
  assert writing.read_labels(labels, "label") == {}


def test_label_studio_takes_the_tasks_and_its_export_comes_back(tmp_path):
  task = get_task("sentiment")
  row = LoggedRow(id="a", value=b"fine", version=3, answer={"label": "pos", "score": 0.5})
  path = tmp_path / "tasks.json"
  writing.write([row], task, path)
  [found] = json.loads(path.read_text())
  assert found["data"] == {"id": "a", "text": "fine", "client_id": ""}
  [prediction] = found["predictions"]
  assert (prediction["model_version"], prediction["score"]) == ("3", 0.5)
  [result] = prediction["result"]
  assert (result["type"], result["value"]) == ("choices", {"choices": ["pos"]})
  # As Label Studio exports it: the tasks with annotations; skipped ones have an empty result.
  done = {**found, "annotations": [{"result": [{**result, "value": {"choices": ["neg"]}}]}]}
  skipped = {"data": {"id": "b"}, "annotations": [{"result": []}]}
  path.write_text(json.dumps([done, skipped]))
  assert writing.read_labels(path, "label") == {"a": "neg"}
  path.write_text('{"no": "list"}')
  with pytest.raises(BadInputError, match="Expected Label Studio's export as JSON"):
    writing.read_labels(path, "label")


def test_a_repeated_request_counts_once_and_a_name_of_several_labels_none():
  rows = [
    LoggedRow(id="a", client_id="order-1", value=b"fine"),
    LoggedRow(id="b", client_id="order-1", value=b"fine"),
    LoggedRow(id="c", client_id="batch", value=b"one"),
    LoggedRow(id="d", client_id="batch", value=b"another"),
  ]
  found = writing.joined(rows, {"order-1": "pos", "batch": "neg", "e": "pos"})
  assert [(row.id, label) for row, label in found.rows] == [("a", "pos")]
  assert (found.strangers, found.shared) == (["e"], ["batch"])


@pytest.mark.parametrize(
  "text",
  [
    "\ufeffid;label\r\na; pos \r\nb;\r\n",
    "label\tid\npos\ta\n\tb\n",
    "id,label\na,pos\na,pos\n",
  ],
)
def test_labels_of_spreadsheets_are_read(tmp_path, text):
  path = tmp_path / "labels.csv"
  path.write_bytes(text.encode())
  assert writing.read_labels(path, "label") == {"a": "pos"}


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("id,label\na,pos\nb,neg\na,neg\n", r"has two labels for 1 ids: a \(pos, neg\)"),
    ("label,id\nneg,b\npos\n", r"line 3: expected an id for the label 'pos'"),
    ("id,label\n  ,pos\n", r"line 2: expected an id for the label 'pos'"),
  ],
)
def test_labels_that_cannot_be_true_are_refused(tmp_path, text, message):
  path = tmp_path / "labels.csv"
  path.write_text(text)
  with pytest.raises(BadInputError, match=message):
    writing.read_labels(path, "label")


def test_several_labels_of_a_row_go_to_label_studio_and_come_back(tmp_path):
  task = dataclasses.replace(get_task("sentiment"), problem=SEVERAL)
  answer = {"label": "old|red", "labels": ["red", "big", "old"], "scores": [0.9, 0.1, 0.7]}
  row = LoggedRow(id="a", value=b"fine", version=3, answer=answer)
  path = tmp_path / "tasks.json"
  writing.write([row], task, path)
  [found] = json.loads(path.read_text())
  [result] = found["predictions"][0]["result"]
  assert result["value"] == {"choices": ["red", "old"]}
  path.write_text(json.dumps([{**found, "annotations": [{"result": [result]}]}]))
  assert writing.read_labels(path, "label", several=True) == {"a": "red|old"}
  with pytest.raises(BadInputError, match="2 labels of a where one is expected"):
    writing.read_labels(path, "label")
  result["value"]["choices"] = ["red", "a|b"]
  path.write_text(json.dumps([{**found, "annotations": [{"result": [result]}]}]))
  with pytest.raises(BadInputError, match=r"the label 'a\|b' holds '\|'"):
    writing.read_labels(path, "label", several=True)


def test_another_export_of_label_studio_is_named(tmp_path):
  path = tmp_path / "export.json"
  path.write_text('[{"id": 1, "text": "fine", "label": "pos"}]')
  with pytest.raises(BadInputError, match="such as JSON-MIN"):
    writing.read_labels(path, "label")


def test_what_no_standard_json_holds_is_left_out_for_label_studio(tmp_path):
  row = LoggedRow(id="a", value=b"fine", answer={"label": "pos", "score": float("nan")})
  path = tmp_path / "tasks.json"
  writing.write([row], get_task("sentiment"), path)
  [found] = json.loads(path.read_text(), parse_constant=pytest.fail)
  assert "score" not in found["predictions"][0]


def test_pictures_lie_beside_the_table_and_within_the_json(tmp_path):
  task = get_task("images")
  row = LoggedRow(id="a", value=PNG, answer={"label": "cat", "score": 0.5})
  writing.write([row], task, tmp_path / "picked.csv")
  with (tmp_path / "picked.csv").open(newline="") as file:
    [line] = csv.DictReader(file)
  assert (tmp_path / line["path"]).read_bytes() == PNG
  assert line["path"] == "picked_files/000000.png"
  writing.write([row], task, tmp_path / "picked.json")
  [found] = json.loads((tmp_path / "picked.json").read_text())
  assert found["data"]["image"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def test_sentences_are_written_under_the_names_of_their_sides(tmp_path):
  task = get_task("translation")
  row = LoggedRow(id="a", value=b"good day", answer={"translation": "bonjour", "score": -0.1})
  writing.write_labelled([(row, "bonne journée")], task, tmp_path / "new.csv")
  with (tmp_path / "new.csv").open(newline="", encoding="utf-8") as file:
    [line] = csv.DictReader(file)
  assert (line["source"], line["target"], line["predicted"]) == (
    "good day",
    "bonne journée",
    "bonjour",
  )


def test_another_ending_is_refused(tmp_path):
  with pytest.raises(BadInputError, match=r"ends in \.csv, or in \.json"):
    writing.write([], get_task("sentiment"), tmp_path / "picked.xlsx")


def test_labels_that_are_no_table_are_named(tmp_path):
  labels = tmp_path / "labels.csv"
  labels.write_text(f"id,label\na,pos\nb,{'x' * 200_000}\n")
  with pytest.raises(BadInputError, match="cannot be read after line .: field larger"):
    writing.read_labels(labels, "label")
