"""Compares the rows per second of `dlpipe batch` with a warm loop over `serving_default`.

    python benchmarks/batch_prediction.py images --input pictures/ [--workspace DIR] [--rows 20000]
    python benchmarks/batch_prediction.py sentiment --input reviews.csv [--column text]

(a) The loop holds all values in memory, predicts them in order in batches of the same size, and
keeps the predictions: no reading, no writing. (b) The batch reads the input, predicts and writes
JSON Lines, through Beam. Both load the model in this process and warm it up before the clock
starts; the clock of (b) stops when the output file exists. The input is repeated until it has
`--rows` rows: a table or a .txt by its rows, a folder by copies of its files.

(a) and (b) alternate, `--repeats` times; only ratios within one invocation mean anything.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pathlib
import shutil
import statistics
import tempfile
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
  """Measures both and prints one JSON object."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("task")
  parser.add_argument("--input", required=True)
  parser.add_argument("--workspace", default="workspace")
  parser.add_argument("--column")
  parser.add_argument("--rows", type=int, default=20_000)
  parser.add_argument("--repeats", type=int, default=3)
  parser.add_argument("--batch-size", type=int)
  options = parser.parse_args()
  with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
    print(json.dumps(measure(options, pathlib.Path(scratch))))


def measure(options: argparse.Namespace, scratch: pathlib.Path) -> dict[str, Any]:
  """Alternates the loop and the batch; returns the rows per second of each, and their ratio."""
  from components.versioned_pusher.version_folders import list_versions
  from pipeline.batch.inputs import plan_input, read_rows
  from pipeline.cli.commands.batch import BATCH_SIZE
  from pipeline.settings.config import PipelineConfig
  from pipeline.tasks import get_task

  task = get_task(options.task)
  config = PipelineConfig(
    task=task.name, data_path="", workspace=os.path.abspath(options.workspace)
  )
  model_dir = config.folder.serving / str(max(list_versions(config.folder.serving)))
  batch_size = options.batch_size or BATCH_SIZE
  path = repeat_input(options.input, scratch, options.rows)
  inputs = plan_input(task, path, column=options.column)
  values = [
    row.value
    for shard in inputs.shards
    for row in read_rows(inputs, shard, task.input.value)
    if row.value is not None
  ]
  runs = {
    "loop": make_loop(model_dir, values, batch_size),
    "batch": make_batch(config, model_dir, inputs, scratch, path, batch_size),
  }
  for run in runs.values():
    run()
  seconds: dict[str, list[float]] = {name: [] for name in runs}
  cpu_seconds: dict[str, list[float]] = {name: [] for name in runs}
  for _ in range(options.repeats):
    for name, run in runs.items():
      started, cpu_started = time.monotonic(), time.process_time()
      run()
      seconds[name].append(time.monotonic() - started)
      cpu_seconds[name].append(time.process_time() - cpu_started)
  best = {name: min(found) for name, found in seconds.items()}
  return {
    "task": task.name,
    "rows": len(values),
    "batch_size": batch_size,
    "loop_rows_per_s": round(len(values) / best["loop"], 1),
    "batch_rows_per_s": round(len(values) / best["batch"], 1),
    "ratio": round(best["loop"] / best["batch"], 3),
    "ratio_of_medians": _median_ratio(seconds),
    "ratio_of_cpu": _median_ratio(cpu_seconds),
    "seconds": {name: [round(s, 2) for s in found] for name, found in seconds.items()},
  }


def _median_ratio(seconds: dict[str, list[float]]) -> float:
  return round(statistics.median(seconds["loop"]) / statistics.median(seconds["batch"]), 3)


def repeat_input(path: str, scratch: pathlib.Path, rows: int) -> str:
  """Writes an input that repeats the given one until it has `rows` rows; returns its path."""
  source = pathlib.Path(path)
  if source.is_dir():
    files = sorted(file for file in source.rglob("*") if file.is_file())
    target = scratch / "files"
    target.mkdir()
    for number, file in enumerate(itertools.islice(itertools.cycle(files), rows)):
      shutil.copyfile(file, target / f"{number:06d}{file.suffix}")
    return str(target)
  from pipeline.sources import tables

  target = scratch / "rows.jsonl"
  if source.suffix == ".txt":
    found = [{"text": line} for line in source.read_text(encoding="utf-8").splitlines()]
  else:
    found = [
      row.values
      for shard in tables.plan_shards(str(source))
      for row in tables.rows(shard)
      if isinstance(row, tables.Row)
    ]
  with target.open("w", encoding="utf-8") as f:
    for row in itertools.islice(itertools.cycle(found), rows):
      f.write(json.dumps(row, ensure_ascii=False) + "\n")
  return str(target)


def make_loop(model_dir: pathlib.Path, values: list[bytes], batch_size: int) -> Any:
  """Returns the loop (a) over a loaded model."""
  import tensorflow as tf

  model = tf.saved_model.load(str(model_dir))
  function = model.signatures["serving_default"]
  [name] = function.structured_input_signature[1]

  def run() -> None:
    kept = []
    for start in range(0, len(values), batch_size):
      found = function(**{name: tf.constant(values[start : start + batch_size])})
      kept.append({key: tensor.numpy() for key, tensor in found.items()})

  # Signature functions hold their variables weakly, so the model must stay referenced.
  run.model = model  # type: ignore[attr-defined]
  return run


def make_batch(
  config: Any,
  model_dir: pathlib.Path,
  inputs: Any,
  scratch: pathlib.Path,
  path: str,
  batch_size: int,
) -> Any:
  """Returns the batch (b); it loads the model once, as a worker does for all its bundles."""
  from pipeline.batch import predict
  from pipeline.batch.model import Model
  from pipeline.batch.outputs import plan_output
  from pipeline.batch.run import run as run_batch

  model = Model(model_dir)
  predict.PredictShard._load = lambda self: model

  def run() -> None:
    outputs = plan_output(str(scratch / "out.jsonl"), input_path=path, overwrite=True)
    run_batch(config, model_dir=model_dir, inputs=inputs, outputs=outputs, batch_size=batch_size)

  return run


if __name__ == "__main__":
  main()
