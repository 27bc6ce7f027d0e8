"""What a warm start saves: the seconds to the quality of a cold start, with a day of new data.

    python benchmarks/warm_start.py --task images --part 0.2

The data is cut into an old part and a new one, as two spans. A model is trained on the old part
alone and served. Then both parts are trained on, once from nothing and once from the served model,
with the task's own settings. Seconds are those of `adapt` and of the epochs.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import random
import shutil
import tempfile
from typing import Any

import dlpipe
from components.versioned_pusher.publish import publish
from pipeline.tasks import get_task


def main() -> None:
  """Measures, and prints one JSON object."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--task", default="images")
  parser.add_argument("--data", help="a folder of class folders, or a table; default: the sample")
  parser.add_argument("--part", type=float, default=0.2, help="the part of the data that is new")
  parser.add_argument("--tiny", action="store_true")
  parser.add_argument("--set", dest="settings", action="append", default=[])
  given = parser.parse_args()
  settings = dict(each.split("=", 1) for each in given.settings)
  data = pathlib.Path(given.data or get_task(given.task).shipped_data())
  with tempfile.TemporaryDirectory() as root:
    place = pathlib.Path(root)
    _cut(data, place / "inbox", given.part)

    def train(last: int, **warm: Any) -> dict[str, Any]:
      dlpipe.run(
        given.task,
        data=str(place / "inbox" / "{span}" / data.name),
        workspace=place / "workspace",
        settings={
          "data.last_span": str(last),
          **{name: json.loads(value) for name, value in settings.items()},
          **warm,
        },
        tiny=given.tiny,
        until_node="Trainer",
      )
      runs = place / "workspace" / given.task / "artifacts" / "Trainer" / "model_run"
      newest = max(runs.iterdir(), key=lambda path: int(path.name))
      record: dict[str, Any] = json.loads((newest / "history.json").read_text())
      return {**record, "model": str(newest.parent.parent / "model" / newest.name)}

    base = train(1)
    publish(f"{base['model']}/Format-Serving", place / "workspace" / given.task / "serving")
    warm = train(2, **{"train.warm_start": True})
    cold = train(2, **{"train.warm_start": True, "train.cold_every": 1})
  metric, mode = get_task(given.task).problem.monitor
  aim = cold["warm_start"]["measured"]
  needed = _seconds_to(warm, metric, mode, aim["best"])
  print(
    json.dumps(
      {
        "task": given.task,
        "metric": metric,
        "carried": warm["warm_start"]["carried"],
        "cold": aim,
        "warm": warm["warm_start"]["measured"],
        "warm_seconds_to_colds_best": needed,
        "ratio": round(needed / aim["seconds_to_best"], 3) if needed is not None else None,
        "of_all_seconds": round(
          warm["warm_start"]["measured"]["seconds"] / max(aim["seconds"], 1e-9), 3
        ),
        "warm_curve": [round(row[metric], 4) for row in warm["epochs"]],
        "cold_curve": [round(row[metric], 4) for row in cold["epochs"]],
      }
    )
  )


def _seconds_to(record: dict[str, Any], metric: str, mode: str, aim: float) -> float | None:
  sign = 1 if mode == "max" else -1
  measured = record["warm_start"]["measured"]
  seconds = measured["seconds"] - sum(row["seconds"] for row in record["epochs"])
  for row in record["epochs"]:
    seconds += row["seconds"]
    if sign * row[metric] >= sign * aim:
      return round(seconds, 2)
  return None


def _cut(data: pathlib.Path, inbox: pathlib.Path, part: float) -> None:
  """Writes the data as spans 1, the old part, and 2, the new one."""
  draw = random.Random(1)
  if data.is_dir():
    for file in sorted(path for path in data.rglob("*") if path.is_file()):
      span = "2" if draw.random() < part else "1"
      target = inbox / span / data.name / file.relative_to(data)
      target.parent.mkdir(parents=True, exist_ok=True)
      shutil.copyfile(file, target)
    return
  delimiter = "\t" if data.suffix == ".tsv" else ","
  with data.open(newline="", encoding="utf-8") as file:
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    header, *rows = csv.reader(file, delimiter=delimiter, quoting=quoting)
  for span, some in (("1", True), ("2", False)):
    draw = random.Random(1)
    target = inbox / span / data.name
    target.parent.mkdir(parents=True)
    with target.open("w", newline="", encoding="utf-8") as file:
      lines = [row for row in rows if (draw.random() >= part) == some]
      if delimiter == "\t":
        file.writelines("\t".join(row) + "\n" for row in [header, *lines])
      else:
        csv.writer(file).writerows([header, *lines])


if __name__ == "__main__":
  main()
