"""Requests are watched: what changed, what has lasted, how many answers are right."""

import dataclasses
import itertools

import numpy as np
import pytest

from pipeline.batch.requests import metrics, watching, windows
from pipeline.batch.requests.reading import LoggedRow
from pipeline.batch.requests.watching import Truth
from pipeline.drift.measuring import Kind, Measure, Row, with_unknown_words
from pipeline.drift.served import Served

_KIND = Kind(is_text=True, has_classes=True, has_one_class=True)
_DAY = 86_400
_UNTIL = 20_000 * _DAY
_NUMBERS = itertools.count()
_ENGLISH = ["the", "a", "film", "story", "is", "was", "good", "bad", "fine", "and", "too"]
_GERMAN = ["der", "die", "das", "ist", "nicht", "und", "wir", "sind", "auf", "dem"]


def _text(random):
  words = random.choice(
    ["the", "a", "film", "story", "is", "was", "good", "bad", "fine", "dull", "and", "too"], 12
  )
  return " ".join(words)


def _day(number, *, rows=150, seed=None, text=_text, label="pos", score=0.9, **fields):
  """Rows of the day that ends so many days before the window's end."""
  random = np.random.default_rng(number if seed is None else seed)
  for place in range(rows):
    at = _UNTIL - number * _DAY - _DAY + place * (_DAY // rows)
    answer = {
      "label": label if random.random() < 0.5 else "neg",
      "score": float(np.clip(random.normal(score, 0.03), 0, 1)),
    }
    name = f"r{next(_NUMBERS)}"
    given = {"id": name, "at": at, "version": 3, "why": "sampled", "answer": answer}
    yield LoggedRow(**{**given, "value": text(random).encode(), **fields})


@pytest.fixture(scope="module")
def served():
  """A version that was trained on texts of the same words."""
  random = np.random.default_rng(77)
  texts = [_text(random).encode() for _ in range(600)]
  profile = Measure(_KIND).profile(Row(value=text, labels=[b"pos"]) for text in texts)
  profile = with_unknown_words(profile, texts[:100], profile.words.counts)
  answers = Measure(_KIND).profile(Row(answer=row.answer) for row in _day(0, rows=400, seed=5))
  return Served(version=3, profile=profile.also(answers))


def _watch(served, days, **options):
  rows = [row for day in days for row in day]
  return watching.watch(
    lambda: iter(rows),
    served,
    _KIND,
    **{"since": _UNTIL - _DAY, "until": _UNTIL, "least": 0.02, "truth": Truth(), **options},
  )


def test_requests_as_in_training_are_quiet(served):
  found = _watch(served, [_day(number) for number in range(8)])
  assert found.alarms == []
  assert (found.requests, found.refused, found.notes) == (150, 0, ())
  assert [each.about for each in found.compared] == ["requests", "answers", "answers before"]


def test_another_language_is_named_with_requests_of_it(served):
  def german(random):
    return " ".join(
      random.choice(["der", "die", "das", "ist", "nicht", "und", "wir", "sind", "auf", "dem"], 10)
    )

  found = _watch(served, [_day(0, text=german), _day(1)])
  assert found.alarms[0].startswith(
    "requests differ from the data of version 3: language: en -> de"
  )
  assert 0 < len(found.examples) <= 10
  assert "language de" in " ".join(found.examples[0].why)


def test_answers_are_compared_with_eval_and_with_the_day_before(served):
  found = _watch(served, [_day(0, label="neg", score=0.6), _day(1)])
  about = {each.about: [c.feature for c in each.drifted] for each in found.compared}
  assert about["requests"] == []
  assert set(about["answers"]) == set(about["answers before"]) == {"answer mix", "score"}
  assert any("unsure (below 0." in said for said in found.alarms)


def test_what_has_been_so_for_days_is_said_and_no_alarm(served):
  found = _watch(served, [_day(number, score=0.75) for number in range(9)])
  assert found.alarms == []
  lasting = [change.feature for each in found.compared for change in each.lasting]
  assert lasting == ["score"]


def test_answers_that_are_as_to_eval_again_are_said_and_no_alarm(served):
  found = _watch(served, [_day(0), _day(1, label="neg", score=0.6), _day(2)])
  assert found.alarms == []
  returned = {change.feature for each in found.compared for change in each.returned}
  assert returned == {"answer mix", "score"}


def test_the_usual_answers_of_another_version_are_no_return(served):
  found = _watch(served, [_day(0, version=4), _day(1, label="neg", score=0.6), _day(2)])
  assert not any(each.returned for each in found.compared)
  assert found.alarms


def test_a_new_version_after_a_day_of_strange_requests_is_no_alarm(served):
  def german(random):
    return " ".join(random.choice(_GERMAN, 12))

  strange = _day(1, text=german, label="neg", score=0.6, version=2)
  found = _watch(served, [_day(0), strange, _day(2, version=2)])
  assert found.alarms == []


def test_a_new_version_that_answers_as_to_its_eval_is_said_and_no_alarm(served):
  found = _watch(served, [_day(0), *(_day(n, label="neg", version=2) for n in (1, 2, 3))])
  assert found.alarms == []
  assert {change.feature for each in found.compared for change in each.renewed} == {"answer mix"}
  assert "window before, which version 2 gave" in found.compared[-1].words


def test_a_new_version_that_is_surer_on_a_small_day_is_no_alarm(served):
  days = [_day(0, rows=50), *(_day(n, rows=50, score=0.7, version=2) for n in (1, 2, 3))]
  found = _watch(served, days)
  assert found.alarms == []
  assert {change.feature for each in found.compared for change in each.renewed} == {"score"}


def test_a_new_version_that_answers_otherwise_than_to_its_eval_is_an_alarm(served):
  days = [_day(0, score=0.6), *(_day(n, version=2) for n in (1, 2, 3))]
  found = _watch(served, days)
  assert [each.about for each in found.compared if each.drifted] == ["answers", "answers before"]
  assert not any(each.renewed for each in found.compared)


def test_a_new_version_of_which_nothing_says_what_it_answered_to_eval_is_an_alarm(served):
  inputs = dataclasses.replace(served.profile, numbers={}, names={})
  silent = Served(version=3, profile=inputs)
  found = _watch(silent, [_day(0, score=0.6), *(_day(n, version=2) for n in (1, 2, 3))])
  assert [each.about for each in found.compared if each.drifted] == ["answers before"]


def test_few_rows_of_eval_do_not_explain_what_a_new_version_answers(served):
  few = Measure(_KIND).profile(Row(answer=row.answer) for row in _day(0, rows=12, seed=5))
  small = Served(version=3, profile=served.profile.also(few))
  days = [_day(0, rows=400, score=0.88), *(_day(n, rows=400, version=2) for n in (1, 2, 3))]
  about = {each.about: [c.feature for c in each.drifted] for each in _watch(small, days).compared}
  assert about == {"requests": [], "answers": [], "answers before": ["score"]}


def test_versions_that_share_the_traffic_are_each_compared_with_themselves(served):
  def day(number, *, new):
    return [*_day(number, rows=150 - new, score=0.6, version=2), *_day(number, rows=new)]

  found = _watch(served, [day(0, new=120), day(1, new=30), day(2, new=30)])
  assert found.alarms == []
  assert found.compared[-1].words.endswith("window before, of version 3 alone")


def test_a_version_that_changes_while_it_shares_the_traffic_is_an_alarm(served):
  def day(number, score):
    return [*_day(number, rows=50, score=score), *_day(number, rows=100, score=0.6, version=2)]

  found = _watch(served, [day(0, 0.7), day(1, 0.9), day(2, 0.9)])
  about = {each.about: [c.feature for c in each.drifted] for each in found.compared}
  assert about["answers"] == ["score"]


def test_answers_of_before_a_new_version_is_loaded_are_compared_with_its_predecessors_eval(served):
  newest = Served(version=4, profile=served.profile, others={3: served.profile}.get)
  strange = _day(1, label="neg", score=0.6)
  found = _watch(newest, [_day(0), strange, _day(2)])
  assert found.alarms == []
  assert {c.feature for each in found.compared for c in each.returned} == {"answer mix", "score"}
  assert found.compared[1].words.endswith("the answers to eval of version 3")
  assert found.notes == (
    "Version 3 gave most answers: they are compared with those to its own eval.",
  )


def test_what_has_been_so_for_days_stays_no_alarm_with_a_new_version(served):
  old = dataclasses.replace(served, version=2)
  known = dataclasses.replace(served, others=lambda version: old.profile)
  found = _watch(
    known, [_day(0, score=0.75), *(_day(n, score=0.75, version=2) for n in range(1, 9))]
  )
  assert found.alarms == []
  lasting = [change.feature for each in found.compared for change in each.lasting]
  assert lasting == ["score"]


def test_answers_that_turn_from_one_strange_way_to_another_are_an_alarm(served):
  found = _watch(served, [_day(0, score=0.4), _day(1, score=0.6), _day(2)])
  about = {each.about: [c.feature for c in each.drifted] for each in found.compared}
  assert about["answers"] == about["answers before"] == ["score"]


def test_rows_that_a_rule_kept_and_refused_ones_do_not_count(served):
  kept = _day(0, why="unsure", score=0.3)
  refused = _day(0, rows=4, error="INVALID_ARGUMENT", why="error")
  found = _watch(served, [_day(0), _day(1), kept, refused])
  assert (found.requests, found.refused, found.alarms) == (150, 4, [])


def test_a_version_without_a_profile_is_said(served):
  found = _watch(Served(version=4, profile=None), [_day(0, score=0.5), _day(1)])
  assert "Version 4 has no data_profile.json" in found.notes[0]
  assert [each.about for each in found.compared] == ["answers before"]
  assert found.alarms


@pytest.mark.parametrize(
  ("fields", "note"),
  [
    ({"value": None}, "not compared with the data of version 3: their inputs are not logged."),
    ({"answer": {}}, "with those to eval of version 3: they are not logged"),
    ({"version": 2}, "with those to eval of version 3: they are of version 2."),
  ],
)
def test_what_cannot_be_compared_is_said(served, fields, note):
  found = _watch(served, [_day(0, **fields), _day(1, **fields)])
  assert any(note in said for said in found.notes), found.notes


def test_scores_that_are_no_numbers_are_an_alarm(served):
  days = [_day(0, score=float("nan")), *(_day(number) for number in range(1, 4))]
  found = _watch(served, days)
  assert any("answers that are no number: 0 % -> 100 %" in said for said in found.alarms)


def test_a_name_of_a_caller_for_different_requests_says_nothing_of_them(served):
  rows = list(_day(0, client_id="batch-job"))
  alone = dataclasses.replace(rows[0], client_id="order-1")
  again = dataclasses.replace(alone, id="again")
  truth = Truth(labels={"batch-job": "neg", "order-1": alone.answer["label"]})
  found = _watch(served, [[alone, again, *rows[1:]], _day(1)], truth=truth)
  assert (found.live.rows, found.live.accuracy) == (2, 1.0)


@pytest.mark.parametrize(
  ("rows", "notes"),
  [
    (5, ("5 requests are too few to tell any but new names from chance.",)),
    (
      30,
      ("Of 30 requests only large changes can be told from chance: a share of 50 % must become",),
    ),
    (150, ()),
  ],
)
def test_what_few_requests_cannot_show_is_said(served, rows, notes):
  found = _watch(served, [_day(0, rows=rows), _day(1)])
  assert found.alarms == []
  assert tuple(said[: len(note)] for said, note in zip(found.notes, notes, strict=True)) == notes


def test_several_versions_that_answered_are_said(served):
  found = _watch(served, [_day(0), _day(0, rows=20, version=2), _day(1)])
  assert "Several versions answered: 2 (20 rows), 3 (150 rows)." in found.notes


@pytest.mark.parametrize(("right", "worse"), [(0.93, False), (0.6, True)])
def test_labels_that_came_later_say_how_many_answers_are_right(served, right, worse):
  rows = list(_day(0))
  labels = {
    row.id: row.answer["label"] if place < right * len(rows) else "other"
    for place, row in enumerate(rows)
  }
  truth = Truth(labels=labels, expected=(0.92, (0.89, 0.95)))
  found = _watch(served, [rows, _day(1)], truth=truth)
  assert found.live.rows == 150
  assert found.live.accuracy == pytest.approx(right, abs=0.01)
  assert bool(found.alarms) is worse
  assert "on eval 0.92 (0.89 to 0.95)" in found.live.sentence


def test_a_row_belongs_to_one_window_and_memory_is_bounded():
  measure = Measure(_KIND)
  rows = [
    LoggedRow(id=str(at), at=at, why="sampled", answer={"label": "a", "score": 0.5})
    for at in range(_UNTIL - 3 * 100, _UNTIL + 1)
  ]
  found = windows.windows(
    rows, measure, since=_UNTIL - 100, until=_UNTIL, most=50, look=lambda row: None
  )
  assert [window.rows for window in found[:4]] == [100, 100, 100, 0]
  assert [len(window.entries) for window in found[:4]] == [50, 50, 10, 0]
  assert len({entry.id for entry in found[0].entries}) == 50


def test_the_metrics_are_prometheus_text(served, tmp_path):
  found = _watch(served, [_day(0, score=0.5), _day(1)])
  path = tmp_path / "dlpipe.prom"
  metrics.write(found, "sentiment", path)
  lines = path.read_text().splitlines()
  assert "# TYPE dlpipe_drift_changed gauge" in lines
  assert 'dlpipe_watch_requests{task="sentiment"} 150' in lines
  assert 'dlpipe_drift_changed{task="sentiment",about="answers before",feature="score"} 1' in lines
  assert len(lines) == len(set(lines))
  assert [path.name for path in tmp_path.iterdir()] == ["dlpipe.prom"]
  assert path.stat().st_mode & 0o777 == 0o644


def test_what_was_found_as_json(served):
  document = watching.as_json(_watch(served, [_day(0, score=0.5), _day(1)]))
  score = [each for each in document["changes"] if each["feature"] == "score"]
  assert [each["about"] for each in score] == ["answers", "answers before"]
  assert all(each["drifted"] and each["value"] > each["bound"] for each in score)
