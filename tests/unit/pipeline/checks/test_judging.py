"""Whether a split can carry the gates' bounds, held against simulated and published intervals."""

import numpy as np
import pytest

from pipeline.checks import judging

SKILL = {"metric": "skill", "direction": "higher", "bound": 0.3, "max_regression": None}
AUC = {**SKILL, "metric": "auc", "bound": 0.65}
BLEU = {**SKILL, "metric": "bleu", "bound": 15.0, "max_regression": 1.0}
ACCURACY = {**SKILL, "metric": "accuracy", "bound": None, "max_regression": 0.01}


def found(labels, *gates, train=None):
  counts = {"train": train or {"a": 500, "b": 500}, "val": {"a": 50, "b": 50}, "eval": labels}
  examples = {split: sum(each.values()) for split, each in counts.items()}
  return {f.name: f for f in judging.about_judging(examples, counts, gates)}


@pytest.mark.parametrize(
  ("bound", "counts"), [(0.3, [50, 50]), (0.5, [100, 50, 50]), (0.3, [100] * 5)]
)
def test_the_interval_of_skill_is_that_of_models_that_just_keep_the_bound(bound, counts):
  total, majority = sum(counts), max(counts) / sum(counts)
  accuracy = majority + bound * (1 - majority)
  right = np.random.default_rng(1).binomial(total, accuracy, 20_000) / total
  skills = (right - majority) / (1 - majority)
  low, high = np.percentile(skills, [2.5, 97.5])
  assert judging.half_width("skill", bound, counts) == pytest.approx((high - low) / 2, rel=0.1)


def test_the_interval_of_the_area_under_the_curve_is_the_published_one():
  # Hanley and McNeil 1982, figure 2: an area of 0.8 on 50 of each has a standard error near 0.045.
  assert judging.half_width("auc", 0.8, [50, 50]) / 1.96 == pytest.approx(0.0437, abs=0.0005)


def test_what_has_no_interval_gets_none():
  assert judging.half_width("bleu", 15.0, []) is None
  assert judging.half_width("skill", 0.3, [40]) is None
  assert judging.half_width("auc", 0.65, [40, 40, 40]) is None
  assert judging.half_width("skill", 0.3, []) is None


def test_a_dozen_examples_cannot_tell_skill_from_chance():
  finding = found({"a": 6, "b": 6}, SKILL)["few_examples"]
  assert finding.level == "warning"
  assert finding.what == "eval holds 12 examples: too few to judge a model by."
  assert finding.details == (
    "the bound 0.3 of skill cannot be told from chance (95 % interval: ±0.48)",
  )


def test_thirty_five_examples_of_five_classes_leave_the_bound_uncertain():
  five = dict.fromkeys("abcde", 7)
  finding = found(five, SKILL, ACCURACY, train=dict.fromkeys("abcde", 48))["few_examples"]
  assert finding.details == (
    "the bound 0.3 of skill is uncertain (95 % interval: ±0.2)",
    "accuracy may fall by 0.01; one example more or less is 0.029",
  )


def test_some_hundreds_are_enough():
  assert found({"a": 120, "b": 120}, SKILL, AUC, ACCURACY) == {}
  assert "few_examples" in found({"a": 5, "b": 500}, AUC)


def test_a_metric_without_an_interval_wants_a_hundred():
  few, enough = ({"train": 900, "val": 50, "eval": count} for count in (99, 100))
  [finding] = judging.about_judging(few, {}, [BLEU])
  assert finding.details == ("the bound 15 of bleu rests on fewer than 100 examples",)
  assert judging.about_judging(enough, {}, [BLEU]) == []


def test_a_split_of_one_class_is_told_with_what_cannot_be_measured():
  finding = found({"pos": 300}, SKILL, AUC, ACCURACY)["one_class"]
  assert finding.what == "All 300 examples of eval are of one class, 'pos'."
  assert finding.details == (
    "skill and auc cannot be measured on one class, so the gate refuses the model",
  )
  assert found({"pos": 300}, SKILL, train={"pos": 10}) == {}


def test_an_empty_split_is_for_the_gate_to_name():
  assert found({}, SKILL) == {}
