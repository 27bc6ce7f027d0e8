"""Measures the sentiment task's accuracy on MR polarity: `dlpipe run sentiment` with three seeds.

    DLPIPE_DATASETS=... python benchmarks/sentiment_quality.py [--seeds 1 2 3] [--set ...]

The eval split is the pipeline's own: a tenth of the sentences, drawn by a hash of their content, so
it is the same for every seed. A model counts even if a gate refuses it. Data: Pang and Lee 2005,
10,662 sentences of film reviews.
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

_REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
_REFUSED = 4  # exit code if a gate refuses; the model was evaluated


def main() -> None:
  """Prints a JSON line for each seed, and the mean."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
  parser.add_argument("--set", action="append", default=[], help="passed on to dlpipe run")
  options = parser.parse_args()
  datasets = os.environ.get("DLPIPE_DATASETS")
  if not datasets:
    parser.error("set DLPIPE_DATASETS to the folder that holds mr_polarity/")
  data = pathlib.Path(datasets) / "mr_polarity"
  with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
    rows = [measure(data, pathlib.Path(scratch), seed, options.set) for seed in options.seeds]
  accuracies = [row["accuracy"] for row in rows]
  print(f"accuracy: mean {statistics.mean(accuracies):.4f} of {len(rows)} seeds")


def measure(
  data: pathlib.Path, workspace: pathlib.Path, seed: int, settings: list[str]
) -> dict[str, float]:
  """Runs one seed; later seeds reuse the cached data part of the first."""
  command = [sys.executable, "-m", "pipeline.cli.main", "run", "sentiment", "--json"]
  command += ["--data", str(data), "--workspace", str(workspace), "--set", f"train.seed={seed}"]
  for setting in settings:
    command += ["--set", setting]
  done = subprocess.run(
    command,
    cwd=_REPOSITORY,
    env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode not in (0, _REFUSED):
    sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr[-4000:]}")
  result = json.loads(done.stdout.splitlines()[-1])
  trainer = next(c["seconds"] for c in result["components"] if c["id"] == "Trainer")
  row = {
    "seed": seed,
    "examples": result["examples"]["eval"],
    "trainer_seconds": trainer,
    **result["metrics"],
  }
  print(json.dumps(row), flush=True)
  return row


if __name__ == "__main__":
  main()
