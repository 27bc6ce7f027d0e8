"""Baseline: a model run in this process, without a server. Prints milliseconds of a call as JSON.

python in_process.py MODEL_FOLDER ROWS...
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from serving.models.sessions import SavedModelSession

_SECONDS = 4.0


def main() -> None:
  """Measures the median of each number of rows."""
  session = SavedModelSession(f"{sys.argv[1]}/1")
  signature = session.signatures["serving_default"]
  [fed], [fetched] = (
    [info.name for info in m.values()] for m in (signature.inputs, signature.outputs)
  )
  found = {}
  for rows in map(int, sys.argv[2:]):
    images = np.random.default_rng(0).random((rows, 28, 28, 1), np.float32)
    calls: list[float] = []
    ends_at = time.monotonic() + _SECONDS
    while time.monotonic() < ends_at or len(calls) < 5:
      started = time.perf_counter()
      session.run({fed: images}, [fetched])
      calls.append((time.perf_counter() - started) * 1000)
    found[rows] = round(statistics.median(calls[1:]), 3)
  print(json.dumps(found))


if __name__ == "__main__":
  main()
