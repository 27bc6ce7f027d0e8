"""Runs every data set at hand with defaults, beside baselines on the same splits.

    DLPIPE_DATASETS=... python -m benchmarks.quality [--only digits mr] [--seeds 3] [--json FILE]

Prints a Markdown table, and writes everything, with the curve of each training, as JSON. A data set
that is not there is left out, and said. A model counts even if a gate refuses it. Nothing is chosen
on eval: baselines choose on val, and dlpipe's best epoch and temperature are val's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.command_line import dlpipe

_WEIGHTS = (
  "pretrained/squeezenet_v1.1_imagenet_keras/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
  """One row of the table.

  Attributes:
    task: the task.
    path: the input below the folder of data sets; None for the task's shipped data.
    metric: the metric of eval that is compared.
    settings: of `--set`; `{data}` is the folder of data sets.
    baselines: name to function of `baselines.fitted`.
  """

  task: str
  path: str | None = None
  metric: str = "accuracy"
  settings: tuple[str, ...] = ()
  baselines: Mapping[str, str]


_PICTURES = {"majority": "majority", "pixels, logistic regression": "pixels"}
_TEXTS = {
  "majority": "majority",
  "TF-IDF(1,2), logistic regression": "tf_idf",
  "naive Bayes features, logistic regression": "naive_bayes",
}
_DATA_SETS = {
  "digits": DataSet(task="images", baselines=_PICTURES),
  "fashion_mnist": DataSet(task="images", path="fashion_mnist", baselines=_PICTURES),
  "caltech": DataSet(
    task="images",
    path="caltech101_subset",
    settings=("model.backbone=squeezenet", f"model.weights={{data}}/{_WEIGHTS}"),
    baselines={**_PICTURES, "SqueezeNet features, logistic regression": "squeezenet_features"},
  ),
  "reviews": DataSet(task="sentiment", baselines=_TEXTS),
  "mr": DataSet(task="sentiment", path="mr_polarity", baselines=_TEXTS),
  "tatoeba": DataSet(
    task="translation",
    path="tatoeba_en_fr/fra.txt",
    metric="bleu",
    settings=("data.eval_fraction=0.05", "data.val_fraction=0.02"),
    baselines={"copy of the source": "copied"},
  ),
}
_KEYS = {
  "images": ("image", "label"),
  "sentiment": ("text", "label"),
  "translation": ("text", "target"),
}


def main() -> None:
  """Prints a line for each run, and at the end the tables."""
  options = _options()
  found = []
  for name in options.only:
    each = _DATA_SETS[name]
    if each.path and not (options.data and (options.data / each.path).exists()):
      print(f"{name}: left out; {each.path} is not in {options.data}", file=sys.stderr)
      continue
    with tempfile.TemporaryDirectory(prefix="dlpipe-quality-") as scratch:
      found.append(measure(name, each, pathlib.Path(scratch), options))
    if options.json:
      options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
  print(table(found))
  print(curves(found))


def _options() -> argparse.Namespace:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--only", nargs="+", choices=sorted(_DATA_SETS), default=list(_DATA_SETS))
  parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 1 on")
  parser.add_argument("--set", action="append", default=[], help="passed on to dlpipe run")
  parser.add_argument("--json", type=pathlib.Path, help="the file for all figures")
  parser.add_argument(
    "--data",
    type=pathlib.Path,
    default=os.environ.get("DLPIPE_DATASETS"),
    help="the folder of data sets; by default $DLPIPE_DATASETS",
  )
  return parser.parse_args()


def measure(
  name: str, data_set: DataSet, workspace: pathlib.Path, options: argparse.Namespace
) -> dict[str, Any]:
  """Runs all seeds, which share the data part of the first, and then the baselines."""
  runs = []
  for seed in range(1, options.seeds + 1):
    runs.append(_run(data_set, workspace, seed, options))
    print(json.dumps({"data": name, **{k: v for k, v in runs[-1].items() if k != "epochs"}}))
    sys.stdout.flush()
  return {
    "data": name,
    "task": data_set.task,
    "metric": data_set.metric,
    "runs": runs,
    "baselines": _baselines(data_set, workspace, options),
  }


def _run(
  data_set: DataSet, workspace: pathlib.Path, seed: int, options: argparse.Namespace
) -> dict[str, Any]:
  settings = [each.format(data=options.data) for each in data_set.settings]
  started = time.monotonic()
  result = dlpipe(
    "run",
    data_set.task,
    workspace=workspace,
    data=options.data / data_set.path if data_set.path else None,
    settings=[f"train.seed={seed}", *settings, *options.set],
  )
  records = (workspace / data_set.task / "artifacts/Trainer/model_run").iterdir()
  latest = max(records, key=lambda path: int(path.name))
  history = json.loads((latest / "history.json").read_text(encoding="utf-8"))
  return {
    "seed": seed,
    "state": result["state"],
    "minutes": round((time.monotonic() - started) / 60, 2),
    "trainer_minutes": round(
      next(c["seconds"] for c in result["components"] if c["id"] == "Trainer") / 60, 2
    ),
    "metrics": result["metrics"],
    "calibration": history["calibration"],
    "epochs": history["epochs"],
  }


def _baselines(
  data_set: DataSet, workspace: pathlib.Path, options: argparse.Namespace
) -> dict[str, float]:
  # Imported after the runs: it loads TensorFlow.
  from benchmarks.baselines import fitted

  rows = fitted.read(workspace, data_set.task, *_KEYS[data_set.task])
  found = {}
  for name, function in data_set.baselines.items():
    baseline = getattr(fitted, function)
    if function == "squeezenet_features":
      baseline = fitted.with_weights(str(options.data / _WEIGHTS))
    found[name] = baseline(rows)
    print(json.dumps({"baseline": name, data_set.metric: found[name]}), flush=True)
  return found


def table(found: Sequence[Mapping[str, Any]]) -> str:
  """Returns the figures as a Markdown table."""
  head = (
    "| data | eval rows | metric | dlpipe, mean (least to most) | calibration error | worst recall "
    "| minutes a run, of them training | baselines |"
  )
  lines = [head, "|---|---|---|---|---|---|---|---|"]
  for each in found:
    runs, metric = each["runs"], each["metric"]
    values = [run["metrics"][metric] for run in runs]
    shown = f"{statistics.mean(values):.4g}"
    if len(values) > 1:
      shown += f" ({min(values):.4g} to {max(values):.4g})"
    others = (_mean(runs, name) for name in ("calibration_error", "worst_recall"))
    minutes = [
      statistics.mean(run[name] for run in runs) for name in ("minutes", "trainer_minutes")
    ]
    baselines = "; ".join(f"{name} {value:.4g}" for name, value in each["baselines"].items())
    cells = [
      each["data"],
      f"{runs[0]['metrics']['example_count']:,.0f}",
      metric,
      shown,
      *others,
      "{:.1f}, {:.1f}".format(*minutes),
      baselines,
    ]
    lines.append(f"| {' | '.join(cells)} |")
  return "\n".join(lines)


def _mean(runs: Sequence[Mapping[str, Any]], name: str) -> str:
  values = [run["metrics"].get(name) for run in runs]
  known = [value for value in values if value is not None]
  return f"{statistics.mean(known):.3g}" if known else "-"


def curves(found: Sequence[Mapping[str, Any]]) -> str:
  """Returns a line for each data set: the validation metric of the first seed by epoch."""
  lines = []
  for each in found:
    epochs = each["runs"][0]["epochs"]
    name = next((n for n in ("val_accuracy", "val_token_accuracy") if n in epochs[0]), "val_loss")
    values = ", ".join(f"{row[name]:.3f}" for row in epochs)
    lines.append(f"{each['data']}, {name} by epoch: {values}")
  return "\n".join(lines)


if __name__ == "__main__":
  main()
