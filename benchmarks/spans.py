"""What a new day costs: the data nodes over a window, put together and read anew.

    python benchmarks/spans.py --task sentiment --days 30 --rows 4000

Makes days of reviews or of pictures, reads a window of them, and then the window one day later:
once with what is kept of the days before, and once in a new workspace. Both run in this process, up
to DataGate; the cost is the CPU time of its five nodes, so what they cost at least is in both.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import pathlib
import random
import resource
import tempfile
import time

import numpy as np

import dlpipe
from pipeline.execution import events

_FIRST = datetime.date(2026, 1, 1)
_NODES = ("SourceExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataGate")


def reviews(folder: pathlib.Path, day: int, rows: int) -> None:
  """Writes a day of reviews of 40 words, from a vocabulary of 20,000 by Zipf's law."""
  draw = random.Random(day)
  words = [f"word{number}" for number in range(20_000)]
  weights = [1 / (number + 1) for number in range(len(words))]
  drawn = draw.choices(words, weights, k=40 * rows)
  with (folder / "reviews.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(("text", "label"))
    for row in range(rows):
      text = " ".join(drawn[40 * row : 40 * row + 40])
      writer.writerow((f"{text} {day} {row}", draw.choice(("good", "bad"))))


def pictures(folder: pathlib.Path, day: int, rows: int) -> None:
  """Writes a day of noisy PNGs of 64 x 64 pixels, in folders of two classes."""
  import tensorflow as tf

  draw = np.random.default_rng(day)
  for name in ("cat", "dog"):
    (folder / name).mkdir()
    for row in range(rows // 2):
      pixels = draw.integers(0, 256, (64, 64, 3), dtype="uint8")
      (folder / name / f"{row:05d}.png").write_bytes(tf.io.encode_png(pixels).numpy())


_MAKE = {"sentiment": reviews, "images": pictures}


def run(task: str, inbox: pathlib.Path, workspace: pathlib.Path, days: int, last: int) -> dict:
  """Runs the data nodes over the window that ends with a day; returns its cost."""
  spent: dict[str, float] = {}
  begun = 0.0

  def note(event: object) -> None:
    nonlocal begun
    if isinstance(event, events.ComponentStarted):
      begun = time.process_time()
    elif isinstance(event, events.ComponentFinished):
      spent[event.id] = round(time.process_time() - begun, 2)

  found = dlpipe.run(
    task,
    data=str(inbox / "{date}"),
    workspace=workspace,
    settings={"data.window": days, "data.last_span": str(_day(last))},
    until_node="DataGate",
    progress=note,
  )
  return {
    "cpu_s": round(sum(spent[node] for node in _NODES), 2),
    "nodes": {node: spent[node] for node in _NODES},
    "examples": sum(found.examples.values()),
    "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
  }


def _day(number: int) -> datetime.date:
  return _FIRST + datetime.timedelta(number)


def main() -> None:
  """Measures, and prints one JSON object."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--task", choices=sorted(_MAKE), default="sentiment")
  parser.add_argument("--days", type=int, default=30)
  parser.add_argument("--rows", type=int, default=4_000, help="of a day")
  given = parser.parse_args()
  with tempfile.TemporaryDirectory() as root:
    place = pathlib.Path(root)
    for day in range(given.days + 1):
      folder = place / "inbox" / str(_day(day))
      folder.mkdir(parents=True)
      _MAKE[given.task](folder, day, given.rows)
    # The first run of a process also pays for imports.
    run(given.task, place / "inbox", place / "warm-up", 1, 0)
    first = run(given.task, place / "inbox", place / "kept", given.days, given.days - 1)
    new_day = run(given.task, place / "inbox", place / "kept", given.days, given.days)
    anew = run(given.task, place / "inbox", place / "anew", given.days, given.days)
  print(
    json.dumps(
      {
        **vars(given),
        "first": first,
        "new_day": new_day,
        "anew": anew,
        "ratio": round(new_day["cpu_s"] / anew["cpu_s"], 3),
      }
    )
  )


if __name__ == "__main__":
  main()
