"""Baselines on a few rows, and the tables of the figures."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks import quality
from benchmarks.baselines import fitted


def _split(make, *labels):
  each = ("train", "val", "eval")
  return fitted.Rows(
    {split: [make(label) for label in labels] for split in each},
    {split: np.array(labels) for split in each},
  )


def _picture(label):
  file = io.BytesIO()
  Image.new("L", (8, 8), 200 if label == "light" else 20).save(file, "PNG")
  return file.getvalue()


def test_regressions_tell_apart_what_can_be_told_apart():
  pictures = _split(_picture, *["light", "dark"] * 4)
  assert fitted.pixels(pictures) == 1.0
  assert fitted.majority(pictures) == 0.5
  texts = _split(lambda label: f"it is {label} here".encode(), *["light", "dark"] * 4)
  assert fitted.tf_idf(texts) == 1.0
  assert fitted.naive_bayes(texts) == 1.0


def test_a_copy_of_the_source_has_a_bleu():
  pairs = _split(str.encode, "one and the same sentence", "two of them are here")
  assert fitted.copied(pairs) == pytest.approx(100)


def _run(seed, accuracy, **more):
  return {
    "seed": seed,
    "minutes": 2.0,
    "trainer_minutes": 1.0,
    "metrics": {"accuracy": accuracy, "example_count": 1200.0, "calibration_error": 0.02, **more},
    "epochs": [{"val_accuracy": 0.5, "val_loss": 1.0}, {"val_accuracy": 0.75, "val_loss": 0.5}],
  }


def test_the_table_has_mean_and_range_and_baselines():
  found = [
    {
      "data": "digits",
      "metric": "accuracy",
      "runs": [_run(1, 0.9, worst_recall=None), _run(2, 0.92, worst_recall=0.5)],
      "baselines": {"majority": 0.1},
    }
  ]
  assert quality.table(found).splitlines()[2] == (
    "| digits | 1,200 | accuracy | 0.91 (0.9 to 0.92) | 0.02 | 0.5 | 2.0, 1.0 | majority 0.1 |"
  )
  assert quality.curves(found) == "digits, val_accuracy by epoch: 0.500, 0.750"
