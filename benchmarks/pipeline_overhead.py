"""Compares the pipeline's time and memory with plain Keras, and with stock TFX components.

    python benchmarks/pipeline_overhead.py [--sizes 10000 60000] [--epochs 5] [--parts abc]

(a) plain Keras reads the idx files and trains the same model as `dlpipe run images`;
(b) `dlpipe run images` on the same files, from an empty workspace to a pushed version;
(c) the data part with stock TFX components at their defaults: ImportExampleGen, StatisticsGen,
    SchemaGen, ExampleValidator and Transform with the same `preprocessing_fn`, on TFRecords that
    are written beforehand and not counted.

Each part runs in a separate process; the figures are its wall seconds and peak resident memory.
Only ratios within one invocation mean anything. Data: Fashion-MNIST's four idx files in
`$DLPIPE_DATASETS/fashion_mnist`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
_BASELINES = pathlib.Path(__file__).resolve().parent / "baselines"
_HEADER_BYTES = {"images": 16, "labels": 8}
_DATA_NODES = (
  "ReviewedSchema",
  "SourceExampleGen",
  "StatisticsGen",
  "SchemaGen",
  "ExampleValidator",
  "DataGate",
  "DataProfile",
  "DriftGate",
  "Transform",
)


def main() -> None:
  """Measures every part at every size, and prints a Markdown table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 60_000])
  parser.add_argument("--epochs", type=int, default=5)
  parser.add_argument("--parts", default="abc", help="which of a, b and c to measure")
  options = parser.parse_args()
  datasets = os.environ.get("DLPIPE_DATASETS")
  if not datasets:
    parser.error("set DLPIPE_DATASETS to the folder that holds fashion_mnist/")
  rows = []
  for size in options.sizes:
    with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
      data = pathlib.Path(scratch) / "data"
      write_subset(pathlib.Path(datasets) / "fashion_mnist", data, size)
      row = measure(size, options.epochs, options.parts, data, pathlib.Path(scratch))
    rows.append(row)
    print(json.dumps(row), flush=True)
  print_table(rows)


def write_subset(source: pathlib.Path, target: pathlib.Path, size: int) -> None:
  """Writes the first `size` training pictures, and test pictures in the same proportion."""
  target.mkdir()
  for split, count in (("train", size), ("t10k", size // 6)):
    for kind, bytes_per_item in (("images", 28 * 28), ("labels", 1)):
      name = f"{split}-{kind}-idx{3 if kind == 'images' else 1}-ubyte.gz"
      header_bytes = _HEADER_BYTES[kind]
      content = gzip.decompress((source / name).read_bytes())
      header = bytearray(content[:header_bytes])
      header[4:8] = struct.pack(">i", count)
      body = content[header_bytes : header_bytes + count * bytes_per_item]
      (target / name).write_bytes(gzip.compress(bytes(header) + body, compresslevel=1))


def measure(
  size: int, epochs: int, parts: str, data: pathlib.Path, scratch: pathlib.Path
) -> dict[str, Any]:
  """Runs the chosen parts in turn; returns wall seconds, and memory in MB of 10^6 bytes."""
  row: dict[str, Any] = {"images": size, "epochs": epochs}
  python = sys.executable
  if "a" in parts:
    command = [python, str(_BASELINES / "plain_keras.py"), str(data), str(epochs)]
    _, row["a_seconds"], row["a_peak_mb"] = run(command)
  if "b" in parts:
    workspace = scratch / "workspace"
    command = [python, "-m", "pipeline.cli.main", "run", "images", "--data", str(data), "--json"]
    command += ["--workspace", str(workspace), "--set", f"train.epochs={epochs}"]
    # Otherwise small data would be trained for more epochs than in (a).
    command += ["--set", "model.min_steps=0"]
    out, row["b_seconds"], row["b_peak_mb"] = run(command)
    result = json.loads(out.splitlines()[-1])
    seconds = {c["id"]: c["seconds"] for c in result["components"]}
    [history] = (workspace / "images/artifacts/Trainer/model_run").glob("*/history.json")
    prepare = json.loads(history.read_text())["prepare_seconds"]
    row["b_nodes"] = seconds
    # Stock Transform writes transformed examples; here training transforms them, so add its time.
    row["b_data_seconds"] = round(sum(seconds[name] for name in _DATA_NODES) + prepare, 1)
    row["b_accuracy"] = result["metrics"]["accuracy"]
  if "c" in parts:
    records, root = scratch / "records", scratch / "stock"
    run([python, str(_BASELINES / "stock_tfx.py"), "write", str(data), str(records)])
    out, row["c_seconds"], row["c_peak_mb"] = run(
      [python, str(_BASELINES / "stock_tfx.py"), "run", str(records), str(root)]
    )
    # Without imports and start, which the node seconds of (b) also exclude.
    row["c_data_seconds"] = json.loads(out.splitlines()[-1])["data_seconds"]
  return row


def run(command: list[str]) -> tuple[str, float, float]:
  """Runs a command; returns stdout, wall seconds and the peak memory in MB."""
  started = time.monotonic()
  process = subprocess.Popen(
    command,
    cwd=_REPOSITORY,
    env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  out, err = process.communicate()
  seconds = time.monotonic() - started
  if process.returncode:
    sys.exit(f"{' '.join(command)} exited with {process.returncode}:\n{err[-4000:]}")
  peak = next(
    (float(line.split()[1]) for line in reversed(err.splitlines()) if line.startswith("PEAK_MB")),
    0.0,
  )
  if not peak and out.strip().startswith("{"):
    nodes = json.loads(out.splitlines()[-1]).get("components", [])
    peak = max((node["peak_rss_mb"] for node in nodes), default=0.0)
  return out, round(seconds, 1), peak


def print_table(rows: list[dict[str, Any]]) -> None:
  """Prints the table of `benchmarks/README.md`."""
  columns = (
    ("images", "images"),
    ("a_seconds", "(a) Keras, s"),
    ("b_seconds", "(b) dlpipe, s"),
    ("b_data_seconds", "(b) data part, s"),
    ("c_data_seconds", "(c) stock TFX data part, s"),
    ("a_peak_mb", "(a) peak, MB"),
    ("b_peak_mb", "(b) peak, MB"),
    ("c_peak_mb", "(c) peak, MB"),
  )
  shown = [(key, title) for key, title in columns if key in rows[0]]
  print("| " + " | ".join(title for _, title in shown) + " | (b)/(a) | (b)/(c) data |")
  print("|" + "---|" * (len(shown) + 2))
  for row in rows:
    cells = [str(row[key]) for key, _ in shown]
    cells.append(_ratio(row, "b_seconds", "a_seconds"))
    cells.append(_ratio(row, "b_data_seconds", "c_data_seconds"))
    print("| " + " | ".join(cells) + " |")
  if len(rows) > 1:
    first, last = rows[0], rows[-1]
    grown = last["images"] / first["images"]
    growth = ", ".join(
      f"{title} x{last[key] / first[key]:.1f}" for key, title in shown[1:] if first[key]
    )
    print(f"\nFrom {first['images']:,} to {last['images']:,} images (x{grown:.1f}): {growth}.")


def _ratio(row: dict[str, Any], over: str, under: str) -> str:
  return f"{row[over] / row[under]:.2f}" if over in row and under in row else "-"


if __name__ == "__main__":
  main()
