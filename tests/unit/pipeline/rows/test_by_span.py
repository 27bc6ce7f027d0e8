"""Spans whose held-out rows a model contradicts more than those of others."""

import random

import pyarrow as pa
import pytest

from components.spans.pattern import Pattern
from pipeline.rows import by_span

_SPAN_OF = Pattern("/inbox/{date}/").span_of


def _rows(**wrong):
  """Rows of the days of a month: how many of how many the model has wrong."""
  origins, right = [], []
  for day, (bad, of) in wrong.items():
    origins += [f"2026-11-{day[1:]}/reviews.csv, row {row}" for row in range(of)]
    right += [row >= bad for row in range(of)]
  return pa.table({"origin": origins, "right": right})


_USUAL = {f"d{day:02d}": (2, 32) for day in range(1, 7)}


def found(**wrong):
  return list(by_span.worse_spans(_rows(**{**_USUAL, **wrong}), _SPAN_OF))


@pytest.mark.parametrize(("bad", "of"), [(14, 32), (32, 32), (80, 400)])
def test_a_day_with_wrong_labels_is_named(bad, of):
  [said] = found(d07=(bad, of))
  assert said.startswith(f"Of span 2026-11-07 the model has {of - bad:,} of {of:,} held-out rows")
  assert "of the other spans 94%" in said


def test_the_others_are_not_blamed_for_it():
  assert len(found(d07=(200, 400))) == 1


@pytest.mark.parametrize(("bad", "of"), [(5, 32), (0, 32), (9, 9), (1_000, 10_000)])
def test_what_chance_or_a_hard_day_makes_is_no_news(bad, of):
  assert found(d07=(bad, of)) == []


def test_months_without_wrong_labels_are_quiet():
  draw = random.Random(1)
  days = [{f"d{n:02d}": (sum(draw.random() < 0.1 for _ in range(60)), 60) for n in range(1, 31)}]
  for _ in range(60):
    days.append({n: (sum(draw.random() < 0.1 for _ in range(60)), 60) for n in days[0]})
  alarms = [said for month in days for said in by_span.worse_spans(_rows(**month), _SPAN_OF)]
  assert alarms == []


def test_rows_of_no_span_count_for_none():
  rows = pa.table({"origin": ["reviews.csv, row 2", None] * 40, "right": [False] * 80})
  assert list(by_span.worse_spans(rows, _SPAN_OF)) == []
