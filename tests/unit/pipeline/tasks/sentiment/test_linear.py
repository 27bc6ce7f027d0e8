"""The linear model: at its optimum, for two classes and for many."""

import numpy as np
import pytest
from scipy import optimize

from pipeline.tasks.sentiment import linear
from pipeline.tasks.sentiment.linear import Linear, Texts, log_ratios

_ROWS = 12


def _texts(classes, size=60, seed=0, weights=None):
  """Texts of 1 to 5 features, which say something about the class."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, classes, size).astype("int32")
  rows = [
    np.unique(np.append(rng.integers(0, _ROWS - 2, rng.integers(0, 5)), labels[text] % 3))
    for text in range(size)
  ]
  return Texts(
    features=np.concatenate(rows).astype("int32"),
    counts=np.array([len(each) for each in rows]),
    scales=rng.uniform(0.3, 1, size).astype("float32"),
    labels=labels,
    weights=np.ones(size, "float32") if weights is None else weights,
  )


def _dense(texts):
  matrix = np.zeros((len(texts.counts), _ROWS))
  matrix[np.repeat(np.arange(len(texts.counts)), texts.counts), texts.features] = 1
  return matrix


def test_ratios_are_of_smoothed_shares():
  [ratio] = log_ratios([3], [1], 7, 9)
  assert ratio == pytest.approx(np.log((4 / 8) / (2 / 10)), rel=1e-6)
  assert log_ratios([2], [2], 5, 5)[0] == 0


def _objective(texts, classes, start, shrinkage):
  """The objective for two classes or more, written down again on dense arrays."""
  present = _dense(texts)
  features = present * texts.scales[:, None]
  counts = np.stack([present[texts.labels == k].sum(axis=0) for k in range(classes)], axis=1)
  total = counts.sum()
  own = (counts + 1) / (counts.sum(axis=0) + 1)
  rest = counts.sum(axis=1, keepdims=True) - counts
  ratios = np.log(own) - np.log((rest + 1) / (total - counts.sum(axis=0) + 1))
  free = (counts > 0) if classes > 2 else (counts.sum(axis=1, keepdims=True) > 0)
  ratios = ratios if classes > 2 else ratios[:, 1:]

  columns = free.shape[1]

  def value(flat):
    weights, biases = flat[: free.size].reshape(free.shape), flat[free.size :]
    scores = features @ np.where(free, ratios * (start + weights), 0) + biases
    if columns == 1:
      scores = np.concatenate([-scores / 2, scores / 2], axis=1)
    best = scores.max(axis=1)
    losses = best + np.log(np.exp(scores - best[:, None]).sum(axis=1))
    losses -= scores[np.arange(len(scores)), texts.labels]
    return losses @ texts.weights + shrinkage / 2 * (weights[free] ** 2).sum()

  def table(flat):
    return np.where(free, ratios * (start + flat[: free.size].reshape(free.shape)), 0)

  return value, table, free.size + columns


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_optimum_of_the_objective(classes, weighted):
  weights = np.random.default_rng(1).uniform(0.2, 3, 60).astype("float32") if weighted else None
  texts = _texts(classes, weights=weights)
  columns = 1 if classes == 2 else classes
  table, biases = Linear(_ROWS, columns, start=0.3).fit(texts, 0.5)
  value, table_of, size = _objective(texts, classes, 0.3, 0.5)
  expected = optimize.minimize(value, np.zeros(size), method="L-BFGS-B", options={"ftol": 1e-12})
  np.testing.assert_allclose(table, table_of(expected.x), atol=0.02)
  if columns == 1:
    np.testing.assert_allclose(biases, expected.x[-1:], atol=0.02)


def test_much_shrinkage_leaves_the_part_of_naive_bayes():
  texts = _texts(2)
  half, whole = (Linear(_ROWS, 1, start=start).fit(texts, 1e6)[0] for start in (0.5, 1.0))
  assert np.abs(half).max() > 0.1
  np.testing.assert_allclose(2 * half, whole, atol=1e-3)


@pytest.mark.parametrize("classes", [1, 3])
def test_features_that_no_text_has_weigh_nothing(classes):
  table, _ = Linear(_ROWS, classes, start=0.3).fit(_texts(max(classes, 2)), 0.1)
  assert not table[-2:].any()


def test_a_class_gets_weights_for_the_features_of_its_texts_alone():
  texts = _texts(3)
  table, _ = Linear(_ROWS, 3, start=0.3).fit(texts, 0.1)
  present = _dense(texts)
  for k in range(3):
    absent = present[texts.labels == k].sum(axis=0) == 0
    assert not table[absent, k].any()


@pytest.mark.parametrize("classes", [2, 3])
def test_the_loss_is_that_of_the_softmax(classes):
  texts = _texts(classes, weights=np.linspace(0.1, 2, 60).astype("float32"))
  columns = 1 if classes == 2 else classes
  linear = Linear(_ROWS, columns, start=0.3)
  nothing = np.zeros((_ROWS, columns), "float32"), np.zeros(columns, "float32")
  assert linear.loss(texts, *nothing) == pytest.approx(np.log(classes), rel=1e-5)
  assert linear.loss(texts, *linear.fit(texts, 0.1)) < 0.9 * np.log(classes)


def test_a_part_keeps_each_texts_features():
  texts = _texts(2)
  kept = np.arange(60) % 3 == 1
  part = texts.part(kept)
  np.testing.assert_array_equal(_dense(part), _dense(texts)[kept])
  whole = Texts.joined([part, texts.part(~kept)])
  np.testing.assert_array_equal(_dense(whole)[:20], _dense(texts)[kept])


@pytest.mark.parametrize("classes", [2, 4])
def test_a_fit_that_begins_near_the_optimum_ends_there_no_later(classes, monkeypatch):
  asked = []
  losses = linear._losses

  def counted(scores, labels):
    asked.append(len(labels))
    return losses(scores, labels)

  monkeypatch.setattr(linear, "_losses", counted)
  texts = _texts(classes, size=400)
  fitted = Linear(rows=_ROWS, columns=1 if classes == 2 else classes, start=0.3)
  table, biases = fitted.fit(texts, 0.1)
  cold = len(asked)
  more = Texts.joined([texts, _texts(classes, size=40, seed=9)])
  anew = fitted.loss(more, *fitted.fit(more, 0.1))
  asked.clear()
  begun = fitted.fit(more, 0.1, table, biases)
  assert len(asked) < cold
  assert fitted.loss(more, *begun) == pytest.approx(anew, rel=1e-3)


def test_rows_that_were_not_carried_begin_where_they_always_do():
  texts = _texts(2)
  fitted = Linear(rows=_ROWS, columns=1, start=0.3)
  nothing = np.zeros((_ROWS, 1), "float32"), np.zeros(1, "float32")
  for one, other in zip(fitted.fit(texts, 0.1), fitted.fit(texts, 0.1, *nothing), strict=True):
    np.testing.assert_array_equal(one, other)
