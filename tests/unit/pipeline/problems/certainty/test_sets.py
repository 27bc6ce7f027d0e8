"""Sets that are fitted on some rows and asked about others, in graph."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.problems.certainty.interval import Interval
from pipeline.problems.certainty.sets import ClassSets, LabelSets
from pipeline.problems.labels import MOST, NONE, UNKNOWN
from pipeline.problems.number import DEVIATION

_NAMES = np.array([b"a", b"b", b"c", b"d"])


def _softmax(logits):
  powers = np.exp(logits - logits.max(axis=1, keepdims=True))
  return (powers / powers.sum(axis=1, keepdims=True)).astype("float32")


def _rows(count, seed=0, noise=1.0):
  """Scores of four classes; the label is mostly the likeliest."""
  random = np.random.default_rng(seed)
  logits = 2 * random.normal(size=(count, 4))
  labels = (logits + noise * random.gumbel(size=logits.shape)).argmax(axis=1)
  return _softmax(logits), labels


def _asked(kind, record, scores):
  names = np.repeat(_NAMES[np.newaxis], len(scores), axis=0)
  found = {"scores": tf.constant(scores), "labels": tf.constant(names)}
  more, accepted = tf.function(lambda: kind.graph(record)(found, {}))()
  sets = [[name.decode() for name in row if name] for row in more["set"].numpy()]
  return sets, accepted.numpy(), more["set"].numpy()


def _fit(kind, scores, labels, *, coverage=None, accuracy=None):
  return kind.fit(scores, labels, coverage=coverage, accepted_accuracy=accuracy)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_hold_the_label_of_new_rows_as_often_as_asked(coverage):
  kind, held = ClassSets(), []
  new_scores, new_labels = _rows(2_000, seed=99)
  for seed in range(20):
    record = _fit(kind, *_rows(60, seed), coverage=coverage)
    sets, _, _ = _asked(kind, record, new_scores)
    held.append(np.mean([_NAMES[y].decode() in s for s, y in zip(sets, new_labels, strict=True)]))
  assert coverage - 0.02 < np.mean(held) < coverage + 0.03


def test_a_set_has_the_answer_first_and_what_is_behind_it_is_empty():
  kind = ClassSets()
  scores, labels = _rows(200)
  record = _fit(kind, scores, labels, coverage=0.5)
  sets, accepted, raw = _asked(kind, record, scores)
  for row, names, place in zip(scores, sets, raw, strict=True):
    assert names[0] == _NAMES[row.argmax()].decode()  # also if no score reaches the bound
    order = [row[list(_NAMES).index(name.encode())] for name in names]
    assert order == sorted(order, reverse=True)
    assert place.tolist() == [*(name.encode() for name in names), *[b""] * (4 - len(names))]
  np.testing.assert_array_equal(accepted, [len(each) == 1 for each in sets])
  assert np.mean([len(each) for each in sets]) == pytest.approx(record.size)
  assert record.accepted == pytest.approx(accepted.mean())


def test_too_few_rows_take_every_class_and_that_is_said():
  kind = ClassSets()
  record = _fit(kind, *_rows(18), coverage=0.95)
  sets, accepted, _ = _asked(kind, record, _rows(5, seed=1)[0])
  assert [len(each) for each in sets] == [4] * 5
  assert not accepted.any()
  assert record.bound is None
  assert "val has 18 rows, and 0.95 takes 19" in record.sentence


def test_the_row_of_val_that_gives_the_bound_stays_clear_of_it():
  """Another batch, or a server, rounds otherwise; its set must be the same."""
  kind = ClassSets()
  scores, labels = _rows(99)
  record = _fit(kind, scores, labels, coverage=0.9)
  nearest = np.abs(np.log(scores[np.arange(99), labels]) - np.log(record.bound)).min()
  assert nearest > 1e-4
  sets = [_asked(kind, record, (scores * part).astype("float32"))[0] for part in (1, 0.99999)]
  assert sets[0] == sets[1]


def test_of_a_model_that_is_right_more_often_than_95_times_the_errors_are_halved():
  scores, labels = _rows(400, noise=0.1)
  record = _fit(ClassSets(), scores, labels)
  wrong = (scores.argmax(axis=1) != labels).mean()
  assert 0 < wrong < 0.05
  assert record.coverage == pytest.approx(1 - wrong / 2, abs=1e-3)


def test_a_coverage_that_the_answers_alone_keep_makes_sets_of_the_answer_and_says_so():
  scores, labels = _rows(400, noise=0.1)
  record = _fit(ClassSets(), scores, labels, coverage=0.6)
  assert record.size == record.accepted == 1
  assert "each is the answer alone" in record.sentence


def test_answers_are_accepted_by_the_accuracy_that_is_wanted():
  kind = ClassSets()
  scores, labels = _rows(2_000)
  record = _fit(kind, scores, labels, accuracy=0.9)
  new_scores, new_labels = _rows(4_000, seed=5)
  _, accepted, _ = _asked(kind, record, new_scores)
  right = new_scores.argmax(axis=1) == new_labels
  assert right.mean() < 0.85
  assert right[accepted].mean() == pytest.approx(0.9, abs=0.02)
  assert 0.2 < accepted.mean() < 0.9


def test_an_accuracy_that_no_score_has_accepts_nothing_and_that_is_said():
  kind = ClassSets()
  scores, labels = _rows(50)
  record = _fit(kind, scores, labels, accuracy=0.99)
  assert not _asked(kind, record, scores)[1].any()
  assert record.accepted_from is None
  assert "no answer is accepted" in record.sentence


def _labelled(count, seed):
  random = np.random.default_rng(seed)
  scores = random.random((count, 4)).astype("float32")
  truth = random.random((count, 4)) < scores
  ids = np.full((count, MOST), NONE)
  for row, held in enumerate(truth):
    places = np.flatnonzero(held)
    ids[row, : len(places)] = places
  return scores, ids, truth


def test_sets_of_several_labels_hold_the_asked_part_of_them():
  kind, held = LabelSets(), []
  new_scores, _, truth = _labelled(2_000, seed=99)
  for seed in range(10):
    scores, ids, _ = _labelled(100, seed)
    record = _fit(kind, scores, ids, coverage=0.9)
    sets, accepted, _ = _asked(kind, record, new_scores)
    in_set = np.array([[name.decode() in each for name in _NAMES] for each in sets])
    has = truth.any(axis=1)
    held.append(((in_set & truth).sum(axis=1)[has] / truth.sum(axis=1)[has]).mean())
    answer = new_scores >= 0.5
    assert (in_set | ~answer).all()  # a set holds the answer
    np.testing.assert_array_equal(accepted, (in_set == answer).all(axis=1))
  assert 0.88 < np.mean(held) < 0.93


def test_an_interval_holds_the_number_as_often_as_asked_in_its_unit():
  kind, held = Interval(), []
  random = np.random.default_rng(0)
  for _ in range(40):
    errors = random.standard_t(4, size=60)
    record = kind.fit(np.zeros((60, 1)), errors[:, None], coverage=0.9, accepted_accuracy=None)
    new = random.standard_t(4, size=500) * 3 + 7  # the label deviates by 3, and is 7 on average
    found = {"value": tf.constant([7.0])}
    more, accepted = kind.graph(record)(found, {DEVIATION: tf.constant([3.0])})
    held.append(((new >= more["low"].numpy()) & (new <= more["high"].numpy())).mean())
    assert accepted is None
  assert 0.88 < np.mean(held) < 0.93


def test_an_interval_of_too_few_rows_is_left_out():
  kind = Interval()
  record = kind.fit(np.zeros((5, 1)), np.ones((5, 1)), coverage=0.9, accepted_accuracy=None)
  assert kind.graph(record)({"value": tf.constant([1.0])}, {}) == ({}, None)
  assert record.sentence == "no interval: val has 5 rows, and 0.9 takes 9"


def test_labels_that_no_class_of_the_model_is_are_told_from_too_few_rows():
  scores, labels = _rows(100)
  labels[:20] = -1
  record = _fit(ClassSets(), scores, labels, coverage=0.95)
  assert (record.bound, record.accepted) == (None, 0)
  assert "too many of the 100 val rows have labels that get no score" in record.sentence
  assert "takes" not in record.sentence


def test_a_model_that_is_always_wholly_sure_is_not_believed_to_be_right_as_often_as_asked():
  """Its wrong labels have a score of 0, which no bound above 0 lets into a set."""
  kind = ClassSets()
  scores = np.repeat([[1, 0]], 100, axis=0).astype("float32")
  labels = (np.arange(100) < 7).astype(int)
  record = _fit(kind, scores, labels, coverage=0.95)
  names = np.repeat(_NAMES[np.newaxis, :2], 100, axis=0)
  more, accepted = kind.graph(record)({"scores": scores, "labels": tf.constant(names)}, {})
  assert (more["set"].numpy() != b"").all()  # both labels
  assert not accepted.numpy().any()
  assert _fit(kind, scores, labels, coverage=0.9).size == 1


def test_a_label_that_train_lacks_counts_as_missed():
  kind = LabelSets()
  scores, ids, truth = _labelled(400, 0)
  plain = _fit(kind, scores, ids, coverage=0.8)
  ids[np.arange(400), truth.sum(axis=1)] = np.where(np.arange(400) % 20 == 0, UNKNOWN, NONE)
  strange = ids == UNKNOWN
  record = _fit(kind, scores, ids, coverage=0.8)
  sets, _, _ = _asked(kind, record, scores)
  in_set = np.array([[name.decode() in each for name in _NAMES] for each in sets])
  each = truth.sum(axis=1) + strange.sum(axis=1)
  held = (in_set & truth).sum(axis=1)[each > 0] / each[each > 0]
  assert held.mean() >= 0.8
  assert record.bound < plain.bound
  ids[:, 0] = UNKNOWN
  assert _fit(kind, scores, ids, coverage=0.8).bound is None


def test_rows_without_labels_do_not_lower_what_is_kept_of_the_others():
  """As the metric `coverage` has it: rows without labels say nothing of what a set holds."""
  kind, held = LabelSets(), []
  new_scores, _, truth = _labelled(2_000, seed=99)
  for seed in range(10):
    scores, ids, _ = _labelled(200, seed)
    ids[::2] = NONE
    record = _fit(kind, scores, ids, coverage=0.8)
    assert record.rows == int((ids != NONE).any(axis=1).sum())
    in_set = new_scores >= record.bound
    has = truth.any(axis=1)
    held.append(((in_set & truth).sum(axis=1)[has] / truth.sum(axis=1)[has]).mean())
  assert 0.78 < np.mean(held) < 0.84


def test_without_a_bound_an_answer_of_all_labels_is_not_accepted():
  kind = LabelSets()
  _, ids, _ = _labelled(10, 0)
  everything = np.full((10, 4), 0.9, "float32")
  record = _fit(kind, everything, ids, coverage=0.95)
  assert (record.bound, record.accepted) == (None, 0)
  assert not _asked(kind, record, everything)[1].any()
