"""What the quarantine keeps, and which classes of the input nothing could be used of, and why."""

import json

import pytest

from components.source_example_gen import quarantine
from components.source_example_gen.quarantine import ShardReport, lost_classes
from components.source_example_gen.summary import LostClass
from dlpipe.records import Rejected

LABELS = {"train": {"a": 5, "caf\u00e9": 3}, "val": {"b": 1}, "eval": {"a": 0}}


def rejected(label, reason):
  return {"origin": "x", "reason": reason, "label": label}


def test_a_class_that_the_input_names_is_lost_if_no_example_of_it_was_read():
  named = {"a": 6, "b": 1, "c": 3, "empty": 0}
  rows = [*[rejected("c", "a WebP picture")] * 3, rejected("a", "cut off")]
  assert lost_classes(LABELS, named, rows) == {
    "c": LostClass(inputs=3, named=True, reasons={"a WebP picture": 3})
  }


def test_a_label_of_rejected_rows_alone_is_lost_too():
  rows = [rejected("d", "too long"), {"origin": "y", "reason": "no label"}]
  assert lost_classes(LABELS, {}, rows) == {
    "d": LostClass(inputs=1, named=False, reasons={"too long": 1})
  }


def test_a_class_of_which_all_were_counted_in_no_split_is_lost():
  assert set(lost_classes({"train": {"a": 5, "b": 0}}, {"a": 5, "b": 2}, [])) == {"b"}


def test_how_a_name_is_stored_does_not_matter():
  assert lost_classes(LABELS, {"cafe\u0301": 3, " a ": 5}, []) == {}


def test_where_no_label_is_counted_none_is_lost():
  assert lost_classes({"train": {}, "val": {}, "eval": {}}, {"a": 3}, []) == {}


@pytest.mark.parametrize(("budget", "left"), [(4, 0), (9, 5), (3, 3)])
def test_the_data_of_a_record_is_kept_as_far_as_the_budget_goes(tmp_path, budget, left):
  record = Rejected(origin="a:1", reason="r", data=b"four", label="cat")
  row, remaining = quarantine.keep_data(record, root=str(tmp_path), name="n", budget=budget)
  assert remaining == left
  kept = {"file": "files/n"} if budget >= 4 else {}
  assert row == {"origin": "a:1", "reason": "r", "label": "cat", **kept}
  assert [path.read_bytes() for path in tmp_path.glob("files/*")] == ([b"four"] if kept else [])


def _collected(folder, sources):
  """The rows of a quarantine to which these files were rejected."""
  rows = [{"origin": str(s), "reason": "r", "source": str(s)} for s in sources]
  quarantine.collect(str(folder), [ShardReport(examples={}, labels={}, rejected=rows)], {})
  return [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]


def test_files_are_copied_until_there_is_too_much_of_them(tmp_path, monkeypatch):
  monkeypatch.setattr(quarantine, "KEPT_BYTES", 10)
  for name, size in (("a.png", 6), ("b.png", 6), ("c.png", 4)):
    (tmp_path / name).write_bytes(b"x" * size)
  names = ("a.png", "b.png", "gone.png", "c.png")
  rows = _collected(tmp_path / "q", [tmp_path / name for name in names])
  assert [row.get("file") for row in rows] == [
    "files/000000-a.png", None, None, "files/000003-c.png"
  ]  # fmt: skip
  assert "could not be copied" in rows[2]["not_kept"]
  assert all("source" not in row for row in rows)


def test_copies_have_names_that_every_system_takes_and_keep_their_suffix(tmp_path):
  names = ["\u00e4 b?.png", f"{'l' * 150}.jpeg"]
  for name in names:
    (tmp_path / name).write_bytes(b"x")
  rows = _collected(tmp_path / "q", [tmp_path / name for name in names])
  assert [row["file"] for row in rows] == [
    "files/000000-__b_.png", f"files/000001-{'l' * 95}.jpeg"
  ]  # fmt: skip
  assert all((tmp_path / "q" / row["file"]).is_file() for row in rows)


@pytest.mark.parametrize(("count", "more"), [(5, False), (6, True)])
def test_a_message_shows_the_first_five(count, more):
  rows = [{"origin": f"{number}.png", "reason": "r"} for number in range(count)]
  said = quarantine.nothing_usable("/d", [ShardReport(examples={}, labels={}, rejected=rows)])
  assert said.startswith(f"None of the {count} records of /d can be used.")
  assert ("4.png: r" in said, "and 1 more" in said, "more" in said) == (True, more, more)
