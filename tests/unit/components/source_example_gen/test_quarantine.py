"""Which classes of the input nothing could be used of, and why."""

from components.source_example_gen.quarantine import lost_classes

LABELS = {"train": {"a": 5, "caf\u00e9": 3}, "val": {"b": 1}, "eval": {"a": 0}}


def rejected(label, reason):
  return {"origin": "x", "reason": reason, "label": label}


def test_a_class_that_the_input_names_is_lost_if_no_example_of_it_was_read():
  named = {"a": 6, "b": 1, "c": 3, "empty": 0}
  rows = [*[rejected("c", "a WebP picture")] * 3, rejected("a", "cut off")]
  assert lost_classes(LABELS, named, rows) == {
    "c": {"inputs": 3, "named": True, "reasons": {"a WebP picture": 3}}
  }


def test_a_label_of_rejected_rows_alone_is_lost_too():
  rows = [rejected("d", "too long"), {"origin": "y", "reason": "no label"}]
  assert lost_classes(LABELS, {}, rows) == {
    "d": {"inputs": 1, "named": False, "reasons": {"too long": 1}}
  }


def test_how_a_name_is_stored_does_not_matter():
  assert lost_classes(LABELS, {"cafe\u0301": 3, " a ": 5}, []) == {}


def test_where_no_label_is_counted_none_is_lost():
  assert lost_classes({"train": {}, "val": {}, "eval": {}}, {"a": 3}, []) == {}
