"""Measures the pipeline on text: its training steps against Keras, its data part against stock TFX.

    python benchmarks/text_overhead.py [--rows 100000] [--many 1000000] [--parts abcm]

(a) `dlpipe run sentiment` on made-up rows, and Keras' `fit` alone with the same model: on the same
    batches, and on the same arrays padded to the longest row. Steps per second of all epochs except
    the first, which traces.
(b) The data nodes up to Transform, with tokenizing and vocabulary, at `--rows`.
(c) The same with TFX's own components at their defaults.
(m) The peak memory of (b) at `--many` rows beside that at `--rows`.

Each runs in a separate process; only ratios within one invocation mean anything, not seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
_PARTS = _REPOSITORY / "benchmarks" / "baselines" / "text_parts.py"
_TRAINED_ROWS = 20_000
_EPOCHS = 4


def main() -> None:
  """Measures the chosen parts and prints one JSON line each, then the ratios."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rows", type=int, default=100_000)
  parser.add_argument("--many", type=int, default=1_000_000)
  parser.add_argument("--parts", default="abcm")
  options = parser.parse_args()
  with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
    measured = {
      part: _MEASURES[part](options, pathlib.Path(scratch)) for part in sorted(options.parts)
    }
  if "a" in measured:
    run, fit = measured["a"]["run"], measured["a"]["fit"]
    print(f"steps per second, run / fit on its batches: {fit['batches'] / run['seconds']:.2f}")
    print(f"steps per second, run / fit on padded arrays: {fit['arrays'] / run['seconds']:.2f}")
  if "b" in measured and "c" in measured:
    ours, stock = measured["b"], measured["c"]
    transforms = ours["nodes"]["Transform"] / stock["nodes"]["Transform"]
    print(f"tokenizing and vocabulary (Transform), ours / stock: {transforms:.2f}")
    print(f"data part, ours / stock: {ours['seconds'] / stock['seconds']:.2f}")
  if "b" in measured and "m" in measured:
    print(f"peak, many rows / fewer: {measured['m']['peak_mb'] / measured['b']['peak_mb']:.2f}")


def train(options: argparse.Namespace, scratch: pathlib.Path) -> dict[str, Any]:
  """Runs (a): returns the median seconds of an epoch after the first, three ways."""
  data, workspace = _rows(scratch, _TRAINED_ROWS), scratch / "trained"
  python = [sys.executable, "-m", "pipeline.cli.main", "run", "sentiment", "--json"]
  settings = [f"train.epochs={_EPOCHS}", "train.patience=99", "gates.skill=-9", "gates.auc=0"]
  settings.append("gates.worst_recall=null")
  for setting in (*settings, "gates.calibration_error=1", "model.min_steps=0"):
    python += ["--set", setting]
  _json([*python, "--data", str(data), "--workspace", str(workspace)])
  [history] = (workspace / "sentiment/artifacts/Trainer/model_run").glob("*/history.json")
  epochs = json.loads(history.read_text())["epochs"]
  fit = _part("fit", workspace, _EPOCHS)
  found = {
    "run": {"seconds": statistics.median(row["seconds"] for row in epochs[1:])},
    "fit": {name: statistics.median(fit[name][1:]) for name in ("batches", "arrays")},
  }
  print(json.dumps({"a": found}), flush=True)
  return found


def data_part(options: argparse.Namespace, scratch: pathlib.Path) -> dict[str, Any]:
  """Runs (b), our nodes."""
  found = _part("ours", _rows(scratch, options.rows), scratch / "ours")
  print(json.dumps({"b": {"rows": options.rows, **found}}), flush=True)
  return found


def stock_part(options: argparse.Namespace, scratch: pathlib.Path) -> dict[str, Any]:
  """Runs (c), TFX's nodes."""
  found = _part("stock", _rows(scratch, options.rows).parent, scratch / "stock")
  print(json.dumps({"c": {"rows": options.rows, **found}}), flush=True)
  return found


def many_rows(options: argparse.Namespace, scratch: pathlib.Path) -> dict[str, Any]:
  """Runs (m), our nodes on many rows."""
  found = _part("ours", _rows(scratch, options.many), scratch / "many")
  print(json.dumps({"m": {"rows": options.many, **found}}), flush=True)
  return found


def _rows(scratch: pathlib.Path, count: int) -> pathlib.Path:
  from benchmarks.baselines.text_rows import write_csv

  path = scratch / f"rows-{count}" / "rows.csv"
  if not path.exists():
    path.parent.mkdir()
    write_csv(path, count)
  return path


def _part(*arguments: Any) -> dict[str, Any]:
  return _json([sys.executable, str(_PARTS), *map(str, arguments)])


def _json(command: list[str]) -> dict[str, Any]:
  done = subprocess.run(
    command,
    cwd=_REPOSITORY,
    env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode:
    sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr[-4000:]}")
  return json.loads(done.stdout.splitlines()[-1])


_MEASURES = {"a": train, "b": data_part, "c": stock_part, "m": many_rows}

if __name__ == "__main__":
  sys.path.insert(0, str(_REPOSITORY))
  main()
