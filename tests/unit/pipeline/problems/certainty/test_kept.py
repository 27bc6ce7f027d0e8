"""Whether eval keeps what was asked, beside chance."""

import pytest

from pipeline.problems.certainty import kept
from pipeline.problems.certainty.record import Certainty

_RECORD = Certainty(coverage=0.9, rows=900, bound=0.2, size=1.5, accepted=0.6)


def _rulings(record=_RECORD, gap=0.02, **metrics):
  return list(kept.rulings(record, metrics, {"coverage": (0.1, 0.9)}, max_gap=gap))


@pytest.mark.parametrize(
  ("coverage", "rows", "passed"),
  [(0.90, 10_000, True), (0.87, 10_000, True), (0.84, 10_000, False), (0.84, 40, True)],
)
def test_a_coverage_below_the_asked_one_refuses_beyond_the_gap_and_chance(coverage, rows, passed):
  [ruling] = _rulings(coverage=coverage, example_count=rows)
  assert (ruling.metric, ruling.value, ruling.passed) == ("coverage", coverage, passed)
  assert ruling.interval == (0.1, 0.9)


def test_the_gap_is_the_users():
  [ruling] = _rulings(gap=0.1, coverage=0.84, example_count=10_000)
  assert ruling.passed


def test_the_accuracy_of_accepted_answers_is_held_to_what_was_asked():
  record = Certainty(coverage=0.9, rows=900, bound=0.2, accepted_accuracy=0.95, accepted=0.6)
  shares = {"coverage": 0.9, "example_count": 9_000, "accepted": 0.6}
  _, good = _rulings(record, accepted_accuracy=0.95, **shares)
  _, bad = _rulings(record, accepted_accuracy=0.85, **shares)
  assert (good.metric, good.passed, bad.passed) == ("accepted_accuracy", True, False)


def test_what_was_not_asked_or_not_measured_is_not_judged():
  assert _rulings(None, coverage=0.1, example_count=100) == []
  assert _rulings(example_count=100) == []
  assert _rulings(coverage=float("nan"), example_count=100) == []
  few = Certainty(coverage=0.9, rows=5, size=4.0, accepted=0.0)
  assert _rulings(few, coverage=1.0, example_count=100) == []


def test_sets_that_say_nothing_are_warned_of():
  few = Certainty(coverage=0.95, rows=5, size=4.0, accepted=0.0)
  [warning] = kept.warnings(few)
  assert "val has 5 rows, and 0.95 takes 19" in warning
  none = Certainty(coverage=0.9, rows=50, bound=0.2, size=1.0, accepted_accuracy=0.99, accepted=0.0)
  assert "No answer is accepted" in next(kept.warnings(none))
  assert list(kept.warnings(_RECORD)) == list(kept.warnings(None)) == []
