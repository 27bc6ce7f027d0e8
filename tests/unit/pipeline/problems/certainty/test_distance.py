"""p-values of familiarity: true for familiar rows, small for strange ones, the same in graph."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.problems.certainty import distance

_UNITS = 12


def _rows(count, seed, shift=0.0):
  """Three classes around three points, stretched differently in each direction."""
  random = np.random.default_rng(seed)
  groups = random.integers(0, 3, count)
  centers = np.eye(3, _UNITS) * 8
  stretch = np.linspace(0.2, 3, _UNITS)
  return (centers[groups] + stretch * random.normal(size=(count, _UNITS)) + shift), groups


def _fitted(val_rows=200, seed=0):
  train, groups = _rows(600, seed)
  val, _ = _rows(val_rows, seed + 1)
  found = distance.fit(train, groups, val, seed=1)
  assert not isinstance(found, str)
  return found, distance.FamiliarityGraph(found), val


def test_familiar_rows_are_below_a_chance_as_often_as_it_says():
  below = {0.01: [], 0.1: [], 0.5: []}
  for seed in range(0, 60, 3):
    _, graph, _ = _fitted(100, seed)
    chances = graph(tf.constant(_rows(400, 1_000 + seed)[0], tf.float32)).numpy()
    assert 0 <= chances.min() <= chances.max() <= 1
    for level, shares in below.items():
      shares.append((chances <= level).mean())
  for level, shares in below.items():
    assert np.mean(shares) == pytest.approx(level, abs=0.02 + level / 10)


def test_strange_rows_are_unlikely_and_the_stranger_the_less():
  _, graph, _ = _fitted()
  near, far = (graph(tf.constant(_rows(200, 5, shift)[0], tf.float32)) for shift in (2.0, 20.0))
  assert np.mean(near) < 0.05
  assert np.max(far) < np.min(near) + 1e-9
  assert np.max(far) < 1e-3  # also below what so few rows of val can count


def test_a_row_between_the_classes_is_strange_though_no_number_of_it_is():
  _, graph, _ = _fitted()
  middle = np.zeros((1, _UNITS))
  middle[0, :3] = 8  # as far out in all three directions as each class in its own
  assert graph(tf.constant(middle, tf.float32)).numpy()[0] < 0.01


def test_the_graph_counts_as_a_brute_force_count_does():
  found, graph, val = _fitted(60)
  view, (new, _) = found.evidence, _rows(50, 77)
  whitened = (val - view.center) @ view.whitening
  distances = np.sqrt(((whitened[:, None] - view.means[None]) ** 2).sum(-1).min(-1))
  z = (new - view.center) @ view.whitening
  of_new = np.sqrt(((z[:, None] - view.means[None]) ** 2).sum(-1).min(-1))
  counted = (1 + (distances[None] >= of_new[:, None]).sum(-1)) / 61
  chances = graph(tf.constant(new, tf.float32)).numpy()
  within = of_new <= distances.max()
  np.testing.assert_allclose(chances[within], counted[within], atol=2 / 61)
  assert (chances[~within] < 2 / 61).all()


def test_a_rounding_of_the_evidence_changes_no_chance_by_more_than_a_server_may():
  _, graph, val = _fitted(600)
  doubled = np.concatenate([val, val])
  exact = graph(tf.constant(doubled, tf.float32)).numpy()
  rounded = graph(tf.constant(doubled * (1 + 1e-7), tf.float32)).numpy()
  assert np.abs(exact - rounded).max() < 1e-5


def test_many_rows_of_one_distance_make_no_step():
  train, groups = _rows(300, 0)
  val = np.repeat(_rows(10, 1)[0], 10, axis=0)
  found = distance.fit(train, groups, val, seed=1)
  assert (np.diff(found.knots) > 0).all()
  assert (np.diff(found.chances) < 0).all()


def test_evidence_of_thousands_of_numbers_is_summed_up():
  random = np.random.default_rng(0)
  familiar, strange = random.normal(size=(2, 5, 3_000))

  def rows(count, directions):
    return random.normal(size=(count, 5)) @ directions + 0.1 * random.normal(size=(count, 3_000))

  found = distance.fit(rows(200, familiar), np.zeros(200, int), rows(100, familiar), seed=1)
  assert found.evidence.whitening.shape == (3_000, distance.MOST_UNITS)
  graph = distance.FamiliarityGraph(found)
  assert np.median(graph(tf.constant(rows(100, strange), tf.float32))) < 0.01
  assert np.median(graph(tf.constant(rows(100, familiar), tf.float32))) > 0.1


def test_traits_are_compared_with_those_of_val_and_count_beside_evidence():
  """In train, no trait is ever missing; so it says nothing of what is usual."""
  random = np.random.default_rng(0)

  def traits(count, unknown):
    return np.stack([random.beta(2, 20, count) + unknown, np.ones(count)], axis=1)

  below = []
  for seed in range(0, 60, 3):
    train, groups = _rows(600, seed)
    val, new = _rows(100, seed + 1)[0], _rows(400, 1_000 + seed)[0]
    found = distance.fit(train, groups, val, traits=traits(100, 0), seed=1)
    graph = distance.FamiliarityGraph(found)
    familiar, strange = (
      graph(tf.constant(new, tf.float32), tf.constant(traits(400, more))) for more in (0, 0.8)
    )
    assert np.median(strange) < 0.01
    below.append((familiar.numpy() < 0.1).mean())
  assert np.mean(below) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(
  ("train", "val", "reason"),
  [
    (np.ones((30, 2)), np.ones((19, 2)), "val has 19 rows"),
    (np.full((30, 2), np.nan), np.ones((30, 2)), "no finite numbers"),
    (np.ones((30, 2)), np.ones((30, 2)), "the same for all"),
  ],
)
def test_what_cannot_be_compared_is_left_out_with_the_reason(train, val, reason):
  assert reason in distance.fit(train, np.zeros(len(train), int), val, seed=1)


def test_an_input_that_is_no_number_is_as_strange_as_can_be():
  _, graph, _ = _fitted()
  assert graph(tf.constant(np.full((1, _UNITS), np.nan), tf.float32)).numpy().tolist() == [0.0]
