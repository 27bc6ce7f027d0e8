"""Flips are what a direct comparison finds; the rate is that of the random sample alone."""

import dataclasses
import math
import random

import pytest

from pipeline.batch.requests import replaying
from pipeline.batch.requests.reading import LoggedRow
from pipeline.batch.requests.replaying import replay
from pipeline.problems import classes, labels, number, text


def _version(answer):
  """A version that answers each value by a function, when it is waited for."""

  def begin(values):
    return lambda: [answer(value.decode()) for value in values]

  return begin


def _class(name, score=0.9):
  return {"label": name, "score": score}


def _rows(*values, why="sampled"):
  return [
    LoggedRow(id=f"r{place}", value=None if value is None else value.encode(), why=why, at=place)
    for place, value in enumerate(values)
  ]


def test_flips_are_those_of_a_direct_comparison(monkeypatch):
  monkeypatch.setattr(replaying, "_CHUNK_ROWS", 7)  # several chunks
  rng = random.Random(3)
  first, second = ({str(n): rng.choice("abc") for n in range(100)} for _ in range(2))
  said = []
  found = replay(
    _rows(*(str(n) for n in range(100))),
    before=_version(lambda value: _class(first[value], int(value) / 100)),
    after=_version(lambda value: _class(second[value], 0.5)),
    problem=classes.PROBLEM,
    on_rows=said.append,
  )
  expected = {f"r{n}": (first[n], second[n]) for n in first if first[n] != second[n]}
  assert {flip.id: (flip.before, flip.after) for flip in found.flips} == expected
  assert found.rows == found.sampled == 100
  assert found.sampled_flips == len(expected)
  assert found.rate == len(expected) / 100
  assert sum(count for _, _, count in found.pairs) == len(expected)
  scores = [flip.before_score for flip in found.flips]
  assert scores == sorted(scores, reverse=True)
  assert said[-1] == 100


def test_the_rate_is_that_of_the_random_sample():
  rows = [*_rows("a", "b", "c", "d"), *_rows(*"uvwxyz", why="unsure")]
  found = replay(
    rows,
    before=_version(lambda value: _class("x")),
    after=_version(lambda value: _class("y" if value in "aUuvwxyz" else "x")),
    problem=classes.PROBLEM,
  )
  assert (found.rows, len(found.flips)) == (10, 7)
  assert (found.sampled, found.sampled_flips, found.rate) == (4, 1, 0.25)
  only = [dataclasses.replace(row, why="rare") for row in rows]
  found = replay(
    only,
    before=_version(lambda value: _class("x")),
    after=_version(lambda value: _class("x")),
    problem=classes.PROBLEM,
  )
  assert (found.rate, found.interval) == (None, None)


def test_an_input_that_is_asked_often_makes_the_rate_no_surer():
  def interval(*values):
    return replay(
      _rows(*values),
      before=_version(lambda value: _class("x")),
      after=_version(lambda value: _class("y" if value.startswith("odd") else "x")),
      problem=classes.PROBLEM,
    ).interval

  few, many = interval("odd", "even"), interval(*["odd", "even"] * 500)
  assert few == pytest.approx(many)
  different = interval(*(f"{kind}{n}" for n in range(500) for kind in ("odd", "even")))
  assert different[1] - different[0] < 0.1 < many[1] - many[0]


def test_what_a_version_cannot_answer_is_an_answer_of_its_own():
  refuse = "too long a text"
  found = replay(
    _rows("fine", "long", "both", None, "fine"),
    before=_version(lambda value: refuse if value == "both" else _class("x")),
    after=_version(lambda value: refuse if value in ("both", "long") else _class("x")),
    problem=classes.PROBLEM,
  )
  [flip] = found.flips
  assert (flip.id, flip.before, flip.after, flip.after_score) == ("r1", "x", "(refused)", None)
  assert (found.rows, found.refused, found.without_input) == (4, 1, 1)


@pytest.mark.parametrize(
  ("problem", "before", "after", "tolerance", "flips"),
  [
    (text.PROBLEM, {"translation": "Hallo"}, {"translation": "Hallo", "score": -1.0}, 0, 0),
    (text.PROBLEM, {"translation": "Hallo"}, {"translation": "hallo"}, 0, 1),
    (number.PROBLEM, {"value": 1.0}, {"value": 1.2}, 0, 1),
    (number.PROBLEM, {"value": 1.0}, {"value": 1.2}, 0.25, 0),
    (number.PROBLEM, {"value": math.nan}, {"value": math.nan}, 0, 0),
    (number.PROBLEM, {"value": math.nan}, {"value": 1.0}, 9, 1),
    (
      labels.PROBLEM,  # the order of the labels is each model's own
      {"labels": ["red", "big", "old"], "scores": [0.9, 0.6, 0.1]},
      {"labels": ["big", "old", "red"], "scores": [0.7, 0.4, 0.5]},
      0,
      0,
    ),
    (
      labels.PROBLEM,
      {"labels": ["red", "big"], "scores": [0.9, 0.6]},
      {"labels": ["red", "big"], "scores": [0.9, 0.4]},
      0,
      1,
    ),
  ],
)
def test_a_flip_is_another_decision_of_the_tasks_kind(problem, before, after, tolerance, flips):
  found = replay(
    _rows("a"),
    before=_version(lambda value: before),
    after=_version(lambda value: after),
    problem=problem,
    tolerance=tolerance,
  )
  assert len(found.flips) == flips
