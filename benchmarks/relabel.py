"""Measures what it is worth to mend labels by the list of `dlpipe check --suspects`.

    DLPIPE_DATASETS=... python -m benchmarks.relabel [--data fashion mr] [--rates 0.05 0.15]

A part of the labels of train and val, chosen at random, gets another class. Then, with dlpipe's own
commands:

1. `run --until Evaluator` trains on them;
2. `check --suspects` lists the labels that are likely wrong;
3. a reviewer, who knows the truth, goes through the list and enters the right label where the label
   is wrong. What the list lacks stays wrong;
4. the same with `--set data.relabel=` trains again.

Accuracy is that on eval, whose labels are never changed: all figures are of the same rows and the
same labels. `gained` and `lost` are the rows of eval that only the second, and only the first model
has right; `gain` is the 95 % interval of the difference. `--clean` runs once more without errors.
`--keep DIR` keeps data and workspaces, so that a measurement that was ended goes on. `--cheap` does
the same in seconds, with the cheap model of `check --labels` in place of both trainings.
Prints a JSON line for each data set and rate.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.command_line import dlpipe
from benchmarks.label_errors import pictures_of_fashion, sentences_of_mr
from pipeline.problems import intervals
from pipeline.rows import flips, table
from pipeline.suspects import confident, features, out_of_fold

_SPLITS = ("train", "val", "eval")


class Data(NamedTuple):
  """A data set: its task, settings of its runs, inputs, classes `[rows]`, rows of each split."""

  task: str
  settings: tuple[str, ...]
  inputs: list[bytes]
  truth: np.ndarray
  sizes: tuple[int, int, int]


def main() -> None:
  """Prints a JSON line for each data set and rate."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--data", nargs="+", choices=sorted(_READ), default=sorted(_READ))
  parser.add_argument("--rates", nargs="+", type=float, default=[0.05, 0.15])
  parser.add_argument("--seed", type=int, default=1)
  parser.add_argument("--clean", action="store_true", help="run without errors, too")
  parser.add_argument("--cheap", action="store_true", help="train the cheap models only")
  parser.add_argument("--keep", type=pathlib.Path, help="a folder for data and workspaces")
  options = parser.parse_args()
  datasets = os.environ.get("DLPIPE_DATASETS")
  if not datasets:
    parser.error("set DLPIPE_DATASETS to the folder that holds the data sets")
  for name in options.data:
    data = _READ[name](pathlib.Path(datasets))
    if options.cheap:
      for rate in options.rates:
        found = cheaply(data, rate, options.seed)
        print(json.dumps({"data": name, "rate": rate, **found}), flush=True)
      continue
    for rate in [*([0.0] if options.clean else []), *options.rates]:
      with tempfile.TemporaryDirectory(prefix="dlpipe-relabel-") as folder:
        scratch = (options.keep or pathlib.Path(folder)) / f"{name}-{rate}-{options.seed}"
        found = measure(data, rate, options.seed, scratch)
      print(json.dumps({"data": name, "rate": rate, **found}), flush=True)


class Planted(NamedTuple):
  """Rows in random order: inputs, right and given classes, and which rows got a wrong one."""

  inputs: list[bytes]
  truth: np.ndarray
  given: np.ndarray
  wrong: np.ndarray


def planted(data: Data, rate: float, seed: int) -> Planted:
  """Changes a part of the labels of train and val; the rows of eval are the last."""
  random = np.random.default_rng(seed)
  order = random.permutation(len(data.truth))[: sum(data.sizes)]
  truth, inputs = data.truth[order], [data.inputs[place] for place in order]
  judged, classes = sum(data.sizes[:2]), int(truth.max()) + 1
  wrong = random.choice(judged, round(rate * judged), replace=False)
  given = truth.copy()
  given[wrong] = (given[wrong] + random.integers(1, classes, len(wrong))) % classes
  return Planted(inputs, truth, given, wrong)


def cheaply(data: Data, rate: float, seed: int) -> dict[str, Any]:
  """Does as `measure`, with cheap models; with the accuracy of right labels throughout."""
  rows = planted(data, rate, seed)
  classes, is_text = int(rows.truth.max()) + 1, data.task == "sentiment"
  is_eval = np.arange(len(rows.truth)) >= sum(data.sizes[:2])
  # The rows of eval are a fold of their own, which all others are learnt for.
  last = out_of_fold.FOLDS - 1
  fold = np.where(is_eval, last, out_of_fold.folds(rows.inputs) % last)
  described, _ = features.of_inputs(rows.inputs, is_text=is_text)
  score = out_of_fold.of_sparse if is_text else out_of_fold.of_dense

  def accuracy(scores: np.ndarray) -> float:
    right = scores[is_eval].argmax(1) == rows.truth[is_eval]
    return round(float(right.mean()), 4)

  before = score(described, rows.given, fold, classes)
  ranking = confident.ranked(rows.given, before)
  listed = ranking.order[: ranking.count]
  mended = rows.given.copy()
  mended[listed] = rows.truth[listed]
  return {
    "planted": len(rows.wrong),
    "listed": len(listed),
    "mended": int((mended != rows.given).sum()),
    "accuracy_before": accuracy(before),
    "accuracy_after": accuracy(score(described, mended, fold, classes)),
    "accuracy_clean": accuracy(score(described, rows.truth, fold, classes)),
  }


def measure(data: Data, rate: float, seed: int, scratch: pathlib.Path) -> dict[str, Any]:
  """Plants errors, trains, mends what the list names, and trains again.

  Args:
    data: the data set.
    rate: the part of the labels of train and val to change.
    seed: of the order of the rows and of the choice.
    scratch: a folder for data and workspace.
  """
  inputs, truth, given, wrong = planted(data, rate, seed)
  splits = np.repeat(_SPLITS, data.sizes)
  write = _folders if data.task == "images" else _table
  path, names = write(scratch / "data", inputs, given, splits)
  workspace = scratch / "workspace"

  def run(*more: str) -> dict[str, Any]:
    told, settings = ("--until", "Evaluator"), data.settings + more  # nothing need be served
    return dlpipe("run", data.task, *told, workspace=workspace, data=path, settings=settings)

  before = run()
  found = {"accuracy_before": before["metrics"]["accuracy"], "planted": len(wrong)}
  if not len(wrong):
    return found
  suspects = scratch / "suspects.csv"
  if not suspects.exists():
    read = [each for each in data.settings if each.startswith("data.")]
    told = ("--suspects", str(suspects))
    dlpipe("check", data.task, *told, workspace=workspace, data=path, settings=read)
  right = {name: str(label) for name, label in zip(names, truth.tolist(), strict=True)}
  with suspects.open(encoding="utf-8", newline="") as file:
    listed = list(csv.DictReader(file))
  review = scratch / "reviewed.csv"
  mended = [row["origin"] for row in listed if row["label"] != right[row["origin"]]]
  _write_rows(review, ("origin", "new_label"), ((name, right[name]) for name in mended))
  after = run(f"data.relabel={review}")
  return {
    **found,
    "listed": len(listed),
    "mended": len(mended),
    "accuracy_after": after["metrics"]["accuracy"],
    **_gain(workspace / data.task),
  }


def _gain(workspace: pathlib.Path) -> dict[str, Any]:
  """Compares the predictions of the first and the last run on eval, row by row."""
  written = sorted(workspace.glob("artifacts/Evaluator/predictions/*"), key=lambda x: int(x.name))
  compared = flips.compare(table.read(written[-1]), table.read(written[0]))
  gained, lost = len(compared.better), len(compared.worse)
  interval = intervals.paired_shares(gained, lost, compared.rows)
  return {"gained": gained, "lost": lost, "gain": [round(bound, 4) for bound in interval]}


def _folders(
  root: pathlib.Path, inputs: list[bytes], labels: np.ndarray, splits: np.ndarray
) -> tuple[pathlib.Path, list[str]]:
  """Writes pictures into folders of split and class; returns the path and each row's origin."""
  names = []
  for number, (data, label, split) in enumerate(zip(inputs, labels, splits, strict=True)):
    names.append(f"{split}/{label}/{number}.png")
    file = root / names[-1]
    if not file.exists():
      file.parent.mkdir(parents=True, exist_ok=True)
      file.write_bytes(data)
  return root, names


def _table(
  root: pathlib.Path, inputs: list[bytes], labels: np.ndarray, splits: np.ndarray
) -> tuple[pathlib.Path, list[str]]:
  """Writes a table of texts; returns its path and each row's origin."""
  path = root / "reviews.csv"
  if not path.exists():
    root.mkdir(parents=True)
    rows = zip((each.decode() for each in inputs), labels.tolist(), splits.tolist(), strict=True)
    _write_rows(path, ("text", "label", "split"), rows)
  return path, [f"{path.name}, row {number}" for number in range(2, len(inputs) + 2)]


def _write_rows(
  path: pathlib.Path, names: tuple[str, ...], rows: Iterator[tuple[Any, ...]]
) -> None:
  with path.open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows(rows)


def _fashion(root: pathlib.Path) -> Data:
  pictures, truth = pictures_of_fashion(root / "fashion_mnist", 6_000)
  return Data("images", ("train.epochs=6",), pictures, truth, (3_400, 600, 2_000))


def _mr(root: pathlib.Path) -> Data:
  sentences, truth = sentences_of_mr(root / "mr_polarity")
  settings = ("data.split_column=split", "model.readers=0")
  return Data("sentiment", settings, sentences, truth, (6_000, 1_000, 3_600))


_READ = {"fashion": _fashion, "mr": _mr}


if __name__ == "__main__":
  main()
