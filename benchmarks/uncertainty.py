"""Measures what a model says it does not know: coverage of its sets, and strange inputs found.

    DLPIPE_DATASETS=... python -m benchmarks.uncertainty [--data caltech digits fashion mr]

Runs `dlpipe run` once for each data set. From the scores of val and eval, temperature and sets are
then fitted again on many draws of as many rows as val has, and the others are asked: one draw says
little about a coverage. The model picked its best epoch on val, so the coverage on eval of the run
itself stands beside. Strange inputs are those of other data sets; `auroc` is how well
`familiarity` tells them from eval. Prints a JSON line for each data set.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import roc_auc_score

import dlpipe
from benchmarks import command_line
from pipeline.problems import calibration
from pipeline.problems.certainty.sets import ClassSets
from pipeline.rows import table
from pipeline.rows.files import FILE

_FASHION = 10_000  # pictures; all 70,000 take an hour
_STRANGERS = 300
_DRAWS = 200
_WEIGHTS = "squeezenet_v1.1_imagenet_keras/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
_COVERAGES = (None, 0.9, 0.95, 0.99)


def main() -> None:
  """Prints a JSON line for each data set."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--data", nargs="+", choices=sorted(_SETTINGS), default=sorted(_SETTINGS))
  parser.add_argument("--set", action="append", default=[], help="passed on to dlpipe run")
  options = parser.parse_args()
  if not os.environ.get("DLPIPE_DATASETS"):
    parser.error("set DLPIPE_DATASETS to the folder that holds the data sets")
  root = pathlib.Path(os.environ["DLPIPE_DATASETS"])
  with tempfile.TemporaryDirectory(prefix="dlpipe-uncertainty-") as scratch:
    for name in options.data:
      print(json.dumps({"data": name, **measure(name, root, pathlib.Path(scratch), options.set)}))
      sys.stdout.flush()


def measure(
  name: str, root: pathlib.Path, scratch: pathlib.Path, settings: Sequence[str]
) -> dict[str, object]:
  """Trains on one data set and asks for what it does not know."""
  task, path, own = _SETTINGS[name]
  data = _first_pictures(root, scratch) if name == "fashion" else root / path
  workspace = scratch / name
  told = [*own(root), *settings]
  result = command_line.dlpipe("run", task, workspace=workspace, data=data, settings=told)
  [file] = (workspace / task / "artifacts").rglob(FILE)
  found = table.read(file.parent)
  strangers = {
    other: inputs
    for other, inputs in _strangers(root, scratch, is_text=task == "sentiment").items()
    if other != name
  }
  model = dlpipe.load(task, workspace=workspace) if result["pushed_version"] else None
  known = found.filter(pc.equal(found["split"], "eval"))["familiarity"].to_numpy()
  return {
    "run": {key: result["metrics"].get(key) for key in ("accuracy", "coverage", "set_size")},
    "accepted": [result["metrics"].get(key) for key in ("accepted", "accepted_accuracy")],
    "draws": [_drawn(found, coverage) for coverage in _COVERAGES],
    "auroc": {
      other: round(_auroc(known, [row["familiarity"] for row in model.predict(inputs)]), 3)
      for other, inputs in (strangers.items() if model else ())
    },
  }


def _auroc(known: Sequence[float], strange: Sequence[float]) -> float:
  labels = np.r_[np.zeros(len(known)), np.ones(len(strange))]
  return float(roc_auc_score(labels, -np.r_[known, strange]))


def _drawn(found: pa.Table, asked: float | None) -> dict[str, float]:
  """Fits temperature and sets on draws of as many rows as val has, and asks the others."""
  names = {label: place for place, label in enumerate(table.names_of_scores(found))}
  scores = np.array(found["scores"].to_pylist(), np.float64)
  labels = np.array([names.get(label, -1) for label in found["label"].to_pylist()])
  count = int(pc.sum(pc.equal(found["split"], "val")).as_py())
  logits = np.log(np.maximum(scores, 1e-30))
  random, rows = np.random.default_rng(0), []
  for _ in range(_DRAWS):
    order = random.permutation(len(labels))
    val, rest = order[:count], order[count:]
    heat = calibration.of_classes(logits[val], labels[val]).temperature
    powers = np.exp(logits / heat)
    said = (powers / powers.sum(axis=1, keepdims=True)).astype("float32")
    record = ClassSets().fit(said[val], labels[val], coverage=asked, accepted_accuracy=None)
    in_set = said[rest] >= (record.bound or 0)
    in_set[np.arange(len(rest)), said[rest].argmax(axis=1)] = True
    held = in_set[np.arange(len(rest)), labels[rest]]
    right = said[rest].argmax(axis=1) == labels[rest]
    alone = in_set.sum(axis=1) == 1
    rows.append(
      (record.coverage, held.mean(), in_set.sum(axis=1).mean(), alone.mean(), right.mean())
    )
  of_all = np.mean(rows, axis=0)
  keys = ("asked", "coverage", "size", "alone", "accuracy")
  return {key: round(float(value), 4) for key, value in zip(keys, of_all, strict=True)}


def _first_pictures(root: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
  """Writes the first pictures of Fashion-MNIST's train as idx files."""
  folder = scratch / "fashion_mnist"
  folder.mkdir()
  for name, header, size in (("images-idx3", 16, 28 * 28), ("labels-idx1", 8, 1)):
    file = f"train-{name}-ubyte.gz"
    whole = gzip.decompress((root / "fashion_mnist" / file).read_bytes())
    head = bytearray(whole[:header])
    head[4:8] = _FASHION.to_bytes(4, "big")
    part = whole[header : header + _FASHION * size]
    (folder / file).write_bytes(gzip.compress(bytes(head) + part))
  return folder


def _strangers(
  root: pathlib.Path, scratch: pathlib.Path, *, is_text: bool
) -> dict[str, list[object]]:
  """Returns inputs of each data set of the other kinds: texts, or files of pictures."""
  random = np.random.default_rng(0)
  if is_text:
    lines = (root / "tatoeba_en_fr" / "fra.txt").read_text("utf-8").splitlines()
    pairs = [line.split("\t")[:2] for line in lines]
    chosen = [pairs[place] for place in random.choice(len(pairs), _STRANGERS, replace=False)]
    return {"english": [pair[0] for pair in chosen], "french": [pair[1] for pair in chosen]}
  photos = sorted((root / "caltech101_subset").rglob("*.jpg"))
  caltech = [photos[place].read_bytes() for place in random.choice(len(photos), _STRANGERS)]
  return {
    "caltech": caltech,
    "fashion": [_png(pixels) for pixels in _fashion(root)],
    "digits": [_png(pixels) for pixels in _digits(root)],
  }


def _png(pixels: np.ndarray) -> bytes:
  import io

  from PIL import Image

  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "PNG")
  return file.getvalue()


def _fashion(root: pathlib.Path) -> np.ndarray:
  """The last pictures of train, which no run here has seen."""
  packed = (root / "fashion_mnist" / "train-images-idx3-ubyte.gz").read_bytes()
  pixels = np.frombuffer(gzip.decompress(packed), np.uint8, offset=16)
  return pixels.reshape(-1, 28, 28)[-_STRANGERS:]


def _digits(root: pathlib.Path) -> np.ndarray:
  import tensorflow as tf

  file = root / "mnist_tfrecord_1k" / "mnist.tfrecord"
  rows = [
    tf.train.Example.FromString(row).features.feature["image_floats"].float_list.value
    for row in tf.data.TFRecordDataset(str(file)).take(_STRANGERS).as_numpy_iterator()
  ]
  values = np.array(rows).reshape(-1, 28, 28)
  low, high = values.min(), values.max()
  return ((values - low) / (high - low) * 255).astype(np.uint8)


_SETTINGS = {
  "caltech": (
    "images",
    "caltech101_subset",
    lambda root: [
      "model.backbone=squeezenet",
      f"model.weights={root / 'pretrained' / _WEIGHTS}",
      "model.fine_tune_epochs=0",
    ],
  ),
  "digits": ("images", "mnist_tfrecord_1k", lambda root: []),
  "fashion": ("images", "fashion_mnist", lambda root: ["model.widths=[32,64,128]"]),
  "mr": ("sentiment", "mr_polarity", lambda root: []),
}


if __name__ == "__main__":
  main()
