"""Measures how well `dlpipe check --labels` finds label errors that were planted in public data.

    DLPIPE_DATASETS=... python benchmarks/label_errors.py [--data imdb mr] [--rates 0.05 0.15]

A part of the labels, chosen at random, gets another class, each with the same chance. `precision`
is the part of the planted ones among as many of the likeliest. The data's own label errors count
against it. Prints a JSON line for each data set and rate. Nothing is trained but the cheap models.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import pathlib
import sys
import time

import numpy as np

from pipeline.suspects import confident, features, out_of_fold

_FASHION_ROWS = 5_000
_REVIEWS = 10_000  # of each class of IMDB, from train: of both as many as the command looks at


def main() -> None:
  """Prints a JSON line for each data set and rate."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--data", nargs="+", choices=sorted(_READ), default=sorted(_READ))
  parser.add_argument("--rates", nargs="+", type=float, default=[0.05, 0.15])
  parser.add_argument("--seed", type=int, default=1)
  options = parser.parse_args()
  datasets = os.environ.get("DLPIPE_DATASETS")
  if not datasets:
    parser.error("set DLPIPE_DATASETS to the folder that holds the data sets")
  for name in options.data:
    if not (pathlib.Path(datasets) / _FOLDERS[name]).exists():
      print(f"{name}: left out; {_FOLDERS[name]} is not in {datasets}", file=sys.stderr)
      continue
    inputs, truth, is_text = _READ[name](pathlib.Path(datasets) / _FOLDERS[name])
    for rate in options.rates:
      print(json.dumps({"data": name, **measure(inputs, truth, is_text, rate, options.seed)}))


def measure(
  inputs: list[bytes], truth: np.ndarray, is_text: bool, rate: float, seed: int
) -> dict[str, float]:
  """Plants errors and looks for them.

  Args:
    inputs: texts or encoded pictures.
    truth: `[rows]` int, the class of each.
    is_text: whether they are texts.
    rate: the part of the labels to change.
    seed: of the choice.
  """
  random = np.random.default_rng(seed)
  classes, count = int(truth.max()) + 1, round(rate * len(truth))
  wrong = random.choice(len(truth), count, replace=False)
  given = truth.copy()
  given[wrong] = (given[wrong] + random.integers(1, classes, count)) % classes
  planted = np.zeros(len(truth), bool)
  planted[wrong] = True
  started = time.process_time()
  fold = out_of_fold.folds(inputs)
  if is_text:
    scores = out_of_fold.of_sparse(features.of_texts(inputs, parts=True), given, fold, classes)
  else:
    described, readable = features.of_pictures(inputs)
    assert readable.all()
    scores = out_of_fold.of_dense(described, given, fold, classes)
  ranking = confident.ranked(given, scores)
  seconds = time.process_time() - started
  return {
    "rows": len(truth),
    "rate": rate,
    "planted": count,
    "precision": round(float(planted[ranking.order[:count]].mean()), 3),
    "found": ranking.count,
    "precision_of_found": round(float(planted[ranking.order[: ranking.count]].mean()), 3),
    "accuracy_on_truth": round(float((scores.argmax(1) == truth).mean()), 3),
    "cpu_seconds": round(seconds, 1),
  }


def _caltech(root: pathlib.Path) -> tuple[list[bytes], np.ndarray, bool]:
  files = sorted(root.rglob("*.jpg"))
  names = sorted({file.parent.name for file in files})
  truth = np.array([names.index(file.parent.name) for file in files])
  return [file.read_bytes() for file in files], truth, False


def _fashion(root: pathlib.Path) -> tuple[list[bytes], np.ndarray, bool]:
  return *pictures_of_fashion(root, _FASHION_ROWS), False


def pictures_of_fashion(root: pathlib.Path, count: int) -> tuple[list[bytes], np.ndarray]:
  """Returns the first pictures of Fashion-MNIST as PNG files, and their classes `[count]` int."""
  from PIL import Image

  def read(name: str, header: int) -> np.ndarray:
    packed = (root / f"train-{name}-ubyte.gz").read_bytes()
    return np.frombuffer(gzip.decompress(packed), np.uint8, offset=header)

  pictures = []
  for pixels in read("images-idx3", 16).reshape(-1, 28, 28)[:count]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    pictures.append(file.getvalue())
  return pictures, read("labels-idx1", 8)[:count].astype(int)


def _imdb(root: pathlib.Path) -> tuple[list[bytes], np.ndarray, bool]:
  texts, truth = [], []
  for label, name in enumerate(("neg", "pos")):
    files = sorted((root / "train" / name).iterdir())
    chosen = np.random.default_rng(0).permutation(len(files))[:_REVIEWS]
    texts += [files[place].read_bytes() for place in sorted(chosen)]
    truth += [label] * len(chosen)
  return texts, np.array(truth), True


def _mr(root: pathlib.Path) -> tuple[list[bytes], np.ndarray, bool]:
  return *sentences_of_mr(root), True


def sentences_of_mr(root: pathlib.Path) -> tuple[list[bytes], np.ndarray]:
  """Returns the sentences of MR polarity in UTF-8, and their classes: 1 is positive."""
  texts, truth = [], []
  for label, name in enumerate(("neg", "pos")):
    lines = (root / f"rt-polarity.{name}").read_bytes().splitlines()
    texts += [line.decode("latin-1").encode() for line in lines]
    truth += [label] * len(lines)
  return texts, np.array(truth)


_READ = {"caltech": _caltech, "fashion": _fashion, "imdb": _imdb, "mr": _mr}
_FOLDERS = {
  "caltech": "caltech101_subset",
  "fashion": "fashion_mnist",
  "imdb": "aclImdb",
  "mr": "mr_polarity",
}


if __name__ == "__main__":
  main()
