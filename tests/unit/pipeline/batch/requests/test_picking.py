"""Rows that are worth a label: unsure ones, a fair sample, and those two versions differ on."""

import math

from pipeline.batch.requests import picking
from pipeline.batch.requests.reading import LoggedRow
from pipeline.problems import classes, number


def _row(number, score, *, why="sampled", label="pos", text=None):
  value = (text or f"text {number}").encode()
  return LoggedRow(id=f"r{number}", value=value, why=why, answer={"label": label, "score": score})


def test_the_unsure_come_first_and_once():
  rows = [_row(n, score) for n, score in enumerate([0.9, 0.5, 0.7, 0.51])]
  rows += [_row(9, 0.1, text="text 1"), LoggedRow(id="no input", answer={"score": 0.0})]
  rows += [
    LoggedRow(id="refused", error="INVALID_ARGUMENT: no"),
    LoggedRow(id="no score", value=b"x"),
  ]
  assert [row.id for row in picking.unsure(rows, 3)] == ["r1", "r3", "r2"]
  assert [row.id for row in picking.unsure(rows, 99)] == ["r1", "r3", "r2", "r0"]


def test_of_several_labels_the_least_sure_one_counts():
  def answer(*scores):
    return {"label": "", "labels": ["a", "b"], "scores": list(scores)}

  rows = [
    LoggedRow(id=f"r{n}", value=f"text {n}".encode(), why="sampled", answer=each)
    for n, each in enumerate([answer(0.9, 0.1), answer(1, 0.6), answer(0.3, 0), answer(1, 0.55)])
  ]
  assert [row.id for row in picking.unsure(rows, 3)] == ["r3", "r1", "r2"]
  assert [row.id for row in picking.unsure([*rows, _row(4, 0.1)], 1)] == ["r4"]
  value = {"value": 3.0, "low": 1.0, "high": 5.0, "decision": "accepted"}
  assert picking.unsure([LoggedRow(id="number", value=b"x", answer=value)], 3) == []


def test_a_score_that_is_no_number_is_the_least_sure():
  rows = [_row(n, score) for n, score in enumerate([0.9, math.nan, 0.5, math.nan, 0.7])]
  assert [row.id for row in picking.unsure(rows, 3)] == ["r1", "r3", "r2"]
  found = picking.disagreement(rows, 2, ask=lambda v: ["neg"] * len(v), problem=classes.PROBLEM)
  assert [row.id for row in found] == ["r0", "r4"]


def test_a_fair_sample_leaves_out_what_was_kept_for_another_reason():
  rows = [_row(n, 0.9) for n in range(1000)]
  rows += [_row(n, 0.1, why="unsure") for n in range(1000, 2000)]
  found = picking.at_random(rows, 100, seed=1)
  assert len(found) == 100
  assert {row.why for row in found} == {"sampled"}
  assert 300 < sum(int(row.id[1:]) for row in found) / 100 < 700
  assert found == picking.at_random(rows, 100, seed=1) != picking.at_random(rows, 100, seed=2)


def test_an_input_that_was_kept_for_another_reason_first_is_in_the_fair_sample():
  rows = [_row(1, 0.1, why="unsure", text="common"), _row(2, 0.1, text="common")]
  assert [row.id for row in picking.at_random(rows, 5, seed=1)] == ["r2"]


def test_the_surest_disagreements_come_first():
  rows = [_row(n, n / 10, label="pos" if n % 2 else "neg") for n in range(10)]
  asked = []

  def ask(values):
    asked.extend(values)
    return ["pos"] * (len(values) - 1) + [None]

  found = picking.disagreement(rows, 3, ask=ask, problem=classes.PROBLEM)
  assert [row.id for row in found] == ["r8", "r6", "r4"]
  assert len(asked) == 10


def test_what_a_logged_answer_decides():
  answer = {"decision": "unsure", "label": "a", "score": 0.5, "scores": [0.5]}
  assert picking.decided(answer, classes.PROBLEM) == "a"
  assert picking.decided({"score": 0.5, "value": 3.0}, number.PROBLEM) == 3.0
  assert picking.decided({"score": 0.5}, classes.PROBLEM) is None
