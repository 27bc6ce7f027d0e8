"""Measures how the data part scales: seconds and peak memory of its nodes by number of rows.

    python benchmarks/scale.py [--texts 10000 100000 1000000] [--images 1000 10000 60000]

Runs SourceExampleGen to Transform of the sentiment task on made-up texts, and of the images task on
made-up JPEGs of 64 x 64 with one folder per class; each size in a separate process. Rows are
written beforehand and not counted. Prints a Markdown table with seconds per 1,000 rows: if these
fall or stay equal, time is linear or better.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
_SIDE = 64
_CLASSES = 10


def main() -> None:
  """Measures every size of both tasks."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--texts", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
  parser.add_argument("--images", type=int, nargs="*", default=[1_000, 10_000, 60_000])
  options = parser.parse_args()
  print("| rows | seconds | seconds per 1,000 | peak, MB | by node, s (MB) |")
  print("|---|---|---|---|---|", flush=True)
  for task, write, sizes in (
    ("sentiment", _write_texts, options.texts),
    ("images", _write_images, options.images),
  ):
    for size in sizes:
      with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
        data = write(pathlib.Path(scratch), size)
        nodes = _measure(task, data, pathlib.Path(scratch) / "workspace")
      seconds = sum(node["seconds"] for node in nodes.values())
      peak = max(node["peak_rss_mb"] for node in nodes.values())
      shown = ", ".join(
        f"{name} {node['seconds']:.1f} ({node['peak_rss_mb']:.0f})"
        for name, node in nodes.items()
        if node["seconds"] >= 1
      )
      each = 1000 * seconds / size
      print(f"| {size:,} {task} | {seconds:.1f} | {each:.2f} | {peak:,.0f} | {shown} |", flush=True)


def _write_texts(scratch: pathlib.Path, rows: int) -> pathlib.Path:
  from benchmarks.baselines.text_rows import write_csv

  write_csv(scratch / "rows.csv", rows)
  return scratch / "rows.csv"


def _write_images(scratch: pathlib.Path, rows: int) -> pathlib.Path:
  import numpy as np
  from PIL import Image

  rng = np.random.default_rng(1)
  for label in range(_CLASSES):
    (scratch / "images" / f"class{label}").mkdir(parents=True)
  for number in range(rows):
    # Blocks of 8 pixels compress like photographs; pure noise would not.
    blocks = rng.integers(0, 256, (_SIDE // 8, _SIDE // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    picture.save(scratch / "images" / f"class{number % _CLASSES}" / f"{number}.jpg", quality=90)
  return scratch / "images"


def _measure(task: str, data: pathlib.Path, workspace: pathlib.Path) -> dict[str, Any]:
  done = subprocess.run(
    [
      sys.executable,
      _REPOSITORY / "benchmarks" / "baselines" / "data_nodes.py",
      task,
      data,
      workspace,
    ],
    cwd=_REPOSITORY,
    env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode:
    sys.exit(f"{task} on {data} exited with {done.returncode}:\n{done.stderr[-4000:]}")
  return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
  sys.path.insert(0, str(_REPOSITORY))
  main()
