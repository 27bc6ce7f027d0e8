"""What the counts of labels show: rare, single, missing, unknown and alike ones, by name."""

import pytest

from pipeline.checks import label_findings


def _found(**counts):
  return {finding.name: finding for finding in label_findings.about_labels(counts)}


def test_balanced_labels_are_no_finding():
  assert _found(train={"a": 100, "b": 90}, val={"a": 10, "b": 9}, eval={"a": 9, "b": 10}) == {}
  assert _found(train={"a": 100, "b": 90}, val={}, eval={}) == {}
  assert _found(train={}, val={}, eval={}) == {}


def test_labels_rare_missing_and_unknown_are_told_by_name():
  found = _found(train={"a": 100, "b": 9, "c": 50}, val={"a": 1, "b": 1, "c": 1}, eval={"d": 3})
  assert {n: f.count for n, f in found.items()} == {
    "unknown_labels": 1,
    "missing_labels": 3,
    "rare_labels": 1,
  }
  assert found["rare_labels"].details == ("'b': train 9, val 1, eval 0",)
  assert found["unknown_labels"].details == ("'d': train 0, val 0, eval 3",)
  assert found["rare_labels"].what == "1 label with fewer than 10 training examples."


def test_a_label_of_one_example_is_told_once():
  found = _found(train={"a": 50, "b": 50, "typo": 1}, val={"a": 5, "b": 5}, eval={"a": 5, "b": 5})
  assert list(found) == ["single_labels"]
  assert found["single_labels"].what == "1 label with a single example."
  assert found["single_labels"].details == ("'typo': train 1, val 0, eval 0",)


@pytest.mark.parametrize(
  ("labels", "details"),
  [
    ({"Cat": 20, "cat": 30, "dog": 20}, ("'Cat' 22, 'cat' 30",)),
    ({"0": 20, "0.0": 30, "1": 20, "1.0": 30}, ("'0' 20, '0.0' 30", "'1' 20, '1.0' 30")),
    ({"pos": 20, "pos\u200b": 30}, ("'pos' 20, 'pos\\u200b' 30",)),
    ({"cat": 20, "c\u0430t": 30}, ("'cat' 20, 'c\\u0430t' 30",)),
    ({"caf\u00e9": 20, "cafe\u0301": 30}, ("'cafe\\u0301' 30, 'caf\u00e9' 20",)),
  ],
)
def test_labels_alike_are_told_with_their_spellings_and_counts(labels, details):
  held_out = {"Cat": 2} if "Cat" in labels else {}
  found = _found(train=labels, eval=held_out)
  assert found["alike_labels"].level == "warning"
  assert found["alike_labels"].count == 2 * len(details)
  assert found["alike_labels"].details == details


def test_a_label_ten_times_as_common_is_noted():
  found = _found(train={"a": 1000, "b": 100}, eval={"a": 10, "b": 10})
  assert list(found) == ["imbalance"]
  assert found["imbalance"].what == ("The commonest label has 10 times the examples of the rarest.")
  assert _found(train={"a": 999, "b": 100}, eval={"a": 10, "b": 10}) == {}
