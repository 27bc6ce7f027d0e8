"""Faulty spans: what is missing, empty, small or repeated."""

from __future__ import annotations

from components.source_example_gen.summary import SpanSeen
from components.spans import judging


def _span(name, rows, content=None, quarantined=0, repeated=0.0):
  return SpanSeen(
    name=name,
    content=content or name,
    examples={"train": rows},
    quarantined=quarantined,
    repeated=repeated,
  )


_WHOLE = [_span(str(number), 100) for number in range(5)]


def _kinds(*spans, min_size=0.1):
  found = judging.faults([*_WHOLE, *spans], min_size)
  return [(fault.kind, fault.spans) for fault in found]


def test_a_whole_window_has_no_fault():
  assert _kinds() == []


def test_each_fault_is_named_with_its_spans():
  assert _kinds(SpanSeen(name="7", is_missing=True)) == [("missing", ("7",))]
  assert _kinds(SpanSeen(name="7")) == [("empty", ("7",))]
  assert _kinds(_span("7", 9)) == [("small", ("7",))]
  assert _kinds(_span("7", 10)) == [("small", ("7",))]
  assert _kinds(_span("7", 11)) == []
  assert _kinds(_span("7", 9), min_size=0.0) == []
  assert _kinds(_span("7", 100, content="3")) == [("repeated", ("7",))]
  assert _kinds(_span("7", 100, repeated=0.95)) == [("repeated", ("7",))]
  assert _kinds(_span("7", 100, repeated=0.5)) == []


def test_a_repeated_span_is_told_of_which():
  [fault] = judging.faults([*_WHOLE, _span("7", 100, repeated=0.95), _span("8", 9, "3")], 0.0)
  assert fault.said == (
    "Spans that repeat others: 7 has 95% of its contents from 4, 8 holds the bytes of 3"
  )


def test_a_day_that_cannot_be_used_is_not_lost_in_the_window():
  def found(rows, quarantined):
    spans = [*_WHOLE, _span("7", rows, quarantined=quarantined)]
    return [fault.said for fault in judging.faults(spans, 0.1, max_bad_fraction=0.05)]

  assert found(0, 100) == ["Spans of which too much cannot be used: 7 (100 of 100 records)"]
  assert found(90, 10) == ["Spans of which too much cannot be used: 7 (10 of 100 records)"]
  assert found(0, 4)[0].startswith("Spans of which too much cannot be used: 7 (4 of 4 records)")
  assert found(91, 9) == [], "slips of single rows"
  assert found(990, 10) == []


def test_rejected_records_count_as_rows():
  assert _kinds(_span("7", 1, quarantined=99)) == []


def test_two_spans_tell_no_usual_size():
  assert judging.faults([_span("1", 100), _span("2", 1)], 0.1) == []
