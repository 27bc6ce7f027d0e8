"""New labels from a review: they replace those of the data, and move nothing."""

from __future__ import annotations

import json
import pathlib

import pytest

from dlpipe.errors import BadInputError
from pipeline.rows.examples import read_examples


@pytest.fixture
def relabel(run, tmp_path):
  """Returns a function that runs with new labels by origin; returns both artifacts' folders."""

  def run_with(root, labels, name="relabelled"):
    file = tmp_path / "new.csv"
    lines = ["origin,split,new_label", *(f"{origin},train,{new}" for origin, new in labels.items())]
    file.write_text("\n".join(lines))
    return run(
      root,
      name,
      relabel=str(file),
      relabelled_key="label",
      read_label="pipeline.problems.classes.read_label",
    )

  return run_with


def _labels(examples):
  read = read_examples(pathlib.Path(examples.uri))
  return {each.origin.origin: (each.split, each.values("label")[0][0].decode()) for each in read}


def test_new_labels_replace_those_of_the_data_and_move_nothing(run, relabel, class_folders):
  root = class_folders("cat", "dog", count=20)
  before = _labels(run(root)[0])
  examples, rejected = relabel(root, {"cat/1.png": "dog", "cat/2.png": "", "dog/3.png": "cat"})
  after = _labels(examples)
  assert {name: split for name, (split, _) in after.items()} == {
    name: split for name, (split, _) in before.items()
  }
  assert {name: after[name][1] for name in after if after[name] != before[name]} == {
    "cat/1.png": "dog",
    "dog/3.png": "cat",
  }
  summary = json.loads((rejected / "summary.json").read_text())
  assert summary["relabelled"] == 2
  assert summary["recognized"]["sentences"][-1] == "2 labels come from data.relabel"
  assert sum(summary["labels"][split].get("cat", 0) for split in summary["labels"]) == 20
  assert (root / "cat" / "1.png").exists()


@pytest.mark.parametrize(
  ("labels", "why"),
  [
    ({"cat/1.png": "dog", "cat/77.png": "dog"}, "names 1 of 2 records that the data does not have"),
    ({"cat/1.png": "dgo"}, "the data has no label 'dgo'. Did you mean 'dog'?"),
    ({"cat/bad.jpg": "dog"}, "or that are in quarantine: 'cat/bad.jpg'"),
  ],
)
def test_new_labels_of_what_is_not_there_are_refused(relabel, class_folders, labels, why):
  root = class_folders("cat", "dog", count=20)
  (root / "cat" / "bad.jpg").write_bytes(b"no picture")
  with pytest.raises(BadInputError) as refused:
    relabel(root, labels)
  assert why in str(refused.value)


def test_a_row_that_has_moved_since_the_review_is_refused(run, class_folders, tmp_path):
  root = class_folders("cat", "dog", count=20)
  file = tmp_path / "new.csv"
  file.write_text(
    "origin,label,new_label\ncat/1.png,cat,dog\ndog/2.png,cat,dog\ndog/3.png,cat,cow\n"
  )
  with pytest.raises(BadInputError, match=r"other data: 'dog/3\.png' has the label 'dog', and"):
    run(
      root,
      relabel=str(file),
      relabelled_key="label",
      read_label="pipeline.problems.classes.read_label",
    )
