"""Measures explanations: whether they are faithful and stable, and what they cost.

    python benchmarks/explain.py TASK --workspace DIR [--again DIR] [--rows 200] [--seed 1]

TASK has a pushed model in the workspace, whose last run left eval examples. What the explanation
names first is deleted first; `random` is the mean over random orders of the same parts:

- a text loses words, up to half of them; the area is that under the score of the answered label;
- a picture loses patches of a 7 x 7 grid, which get the picture's mean colour; the same area;
- a translation loses the source word that a target word attends to most, or another one; the share
  is that of target words that vanish.

`--again` is the workspace of a second training, and `stability` compares the explanations of rows
that both models answer alike, beside what chance gives:

- texts and maps: `rank`, the mean rank correlation of the parts, and `top`, the share of the fifth
  of the parts that counts most in one explanation which is in that fifth of the other, too. By
  chance, parts are in random order; `another` is the correlation with the map of another picture;
- translations: `attended`, of words that both translations of a sentence have once, the share
  that attends most to the same source word; by chance, to any word.

Prints a JSON line.
"""

from __future__ import annotations

import argparse
import io
import json
import pathlib
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image
from scipy import stats

import dlpipe
from dlpipe.workspace import Workspace
from pipeline.tasks import get_task
from serving.models.local_model import LocalModel

_GRID = 7
_STEPS = 10  # from nothing to half of the parts
_ORDERS = 3  # random ones
_LEAST_PARTS = 4
_BATCHES = (1, 32)
_REPEATS = 15


def main() -> None:
  """Prints a JSON line."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("task")
  parser.add_argument("--workspace", required=True)
  parser.add_argument("--again")
  parser.add_argument("--rows", type=int, default=200)
  parser.add_argument("--seed", type=int, default=1)
  options = parser.parse_args()
  task = get_task(options.task)
  chance = random.Random(options.seed)
  values = list(eval_values(options.workspace, task.name, task.input.key))
  chance.shuffle(values)
  values = values[: options.rows]
  inputs: list[Any] = values if task.input.kind == "file" else [v.decode() for v in values]
  with dlpipe.load(task.name, workspace=options.workspace) as model:
    found = faithfulness(model, inputs, chance)
    if options.again:
      with dlpipe.load(task.name, workspace=options.again) as other:
        found |= stability(model, other, inputs, chance)
    found |= costs(model.path, task.input.key, values)
  print(json.dumps({"task": task.name, "rows": len(values), **found}))


def eval_values(workspace: str, task: str, key: str) -> Iterator[bytes]:
  """Yields the inputs of the eval split of the workspace's newest examples."""
  import tensorflow as tf

  root = Workspace.of(workspace).task(task).root
  folders = root.glob("artifacts/SourceExampleGen/examples/*/Split-eval")
  newest = max(folders, key=lambda folder: int(folder.parent.name))
  files = sorted(map(str, newest.glob("*.gz")))
  for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
    yield tf.train.Example.FromString(record).features.feature[key].bytes_list.value[0]


def faithfulness(
  model: dlpipe.Model, inputs: Sequence[Any], chance: random.Random
) -> dict[str, float]:
  """Deletes what the explanation names, and as much at random."""
  reasons = model.explain(inputs)
  if "alignment" in reasons[0]:
    return _vanished(model, reasons, chance)
  if "tokens" in reasons[0]:
    # What is deleted from is the text as the model reads it.
    inputs = [" ".join(reason["tokens"]) for reason in reasons if len(reason["tokens"]) > 1]
    reasons = model.explain(inputs)
    rows = [
      (reason["contributions"], _without_words(reason["tokens"]))
      for reason in reasons
      if len(reason["tokens"]) >= _LEAST_PARTS
    ]
  else:
    rows = [
      (_patches(reason["map"]), _without_patches(value))
      for value, reason in zip(inputs, reasons, strict=True)
    ]
  named = [_area(model, delete, _strongest_first(parts)) for parts, delete in rows]
  orders = []
  for parts, delete in rows:
    shuffled = [chance.sample(range(len(parts)), len(parts)) for _ in range(_ORDERS)]
    orders.append(statistics.fmean(_area(model, delete, order) for order in shuffled))
  differences = np.subtract(orders, named)
  error = float(differences.std(ddof=1) / np.sqrt(len(rows)))
  return {
    "deleted_in": len(rows),
    "area_named": round(statistics.fmean(named), 4),
    "area_random": round(statistics.fmean(orders), 4),
    "margin": round(float(differences.mean()), 4),
    "margin_standard_error": round(error, 4),
    "unexplained_max": max(abs(reason["unexplained"]) for reason in reasons),
  }


def stability(
  one: dlpipe.Model, other: dlpipe.Model, inputs: Sequence[Any], chance: random.Random
) -> dict[str, float]:
  """Returns how alike two models explain the answers that both give, and how alike chance is."""
  pairs = list(zip(one.explain(inputs), other.explain(inputs), strict=True))
  if "alignment" in pairs[0][0]:
    return _same_source(pairs)
  parts = [
    [np.ravel(each["contributions"] if "tokens" in each else each["map"]) for each in (a, b)]
    for a, b in pairs
    if a.get("label") == b.get("label")
  ]
  parts = [(a, b) for a, b in parts if len(a) == len(b) >= _LEAST_PARTS]
  shuffled = [(a, np.array(chance.sample(b.tolist(), len(b)))) for a, b in parts]
  found = {
    "compared": len(parts),
    "rank": _rank(parts),
    "rank_by_chance": _rank(shuffled),
    "top": _top(parts),
    "top_by_chance": round(statistics.fmean(_fifth(len(a)) / len(a) for a, _ in parts), 3),
  }
  if "map" in pairs[0][0]:
    others = [parts[place - 1][1] for place in range(len(parts))]
    found["rank_with_another"] = _rank([(a, b) for (a, _), b in zip(parts, others, strict=True)])
  return found


def _rank(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
  return round(float(np.nanmean([stats.spearmanr(a, b).statistic for a, b in parts])), 3)


def _top(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
  """Returns the mean share of the strongest fifth of parts that is in that of the other, too."""
  shares = []
  for a, b in parts:
    count = _fifth(len(a))
    first, second = ({*np.argsort(-np.abs(each))[:count].tolist()} for each in (a, b))
    shares.append(len(first & second) / count)
  return round(statistics.fmean(shares), 3)


def _fifth(count: int) -> int:
  return max(1, count // 5)


def _same_source(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, float]:
  """Compares the source words that words of both translations attend to most."""
  same, by_chance = [], []
  for a, b in pairs:
    words = [word for word in a["target_tokens"] if word.isalpha()]
    for word in words:
      if a["target_tokens"].count(word) == b["target_tokens"].count(word) == 1:
        first, second = (
          int(np.argmax(each["alignment"][each["target_tokens"].index(word)])) for each in (a, b)
        )
        same.append(first == second)
        by_chance.append(1 / len(a["source_tokens"]))
  return {
    "compared": len(same),
    "attended": round(statistics.fmean(same), 3),
    "attended_by_chance": round(statistics.fmean(by_chance), 3),
  }


def costs(path: pathlib.Path, key: str, values: Sequence[bytes]) -> dict[str, float]:
  """Returns the CPU time of `explain` as a multiple of that of `serving_default`, by batch size."""
  found = {}
  with LocalModel(path) as model:
    for size in _BATCHES:
      batch = {key: np.array(values[:size], object)}
      spent: dict[str, list[float]] = {"serving_default": [], "explain": []}
      for _ in range(_REPEATS):
        for signature, seconds in spent.items():
          started = time.process_time()
          model.predict(signature, batch)
          seconds.append(time.process_time() - started)
      plain, explained = (statistics.median(each[2:]) for each in spent.values())
      found[f"passes_at_{size}"] = round(explained / plain, 2)
  return found


def _area(model: dlpipe.Model, delete: Callable[[set[int]], Any], order: Sequence[int]) -> float:
  """Returns the mean score of the label that is answered first, while parts are deleted."""
  counts = [round(step / _STEPS * len(order) / 2) for step in range(_STEPS + 1)]
  rows = model.predict([delete(set(order[:count])) for count in counts])
  column = rows[0]["labels"].index(rows[0]["label"])
  scores = [row["scores"][column] for row in rows]
  return float(np.trapezoid(scores) if hasattr(np, "trapezoid") else np.trapz(scores)) / _STEPS


def _strongest_first(parts: Sequence[float]) -> list[int]:
  return sorted(range(len(parts)), key=lambda place: -parts[place])


def _without_words(tokens: Sequence[str]) -> Callable[[set[int]], str]:
  return lambda gone: " ".join(each for place, each in enumerate(tokens) if place not in gone)


def _patches(values: Sequence[Sequence[float]]) -> list[float]:
  """Returns a map as the values of the patches, row by row."""
  given = Image.fromarray(np.array(values, np.float32))
  smooth = given.resize((_GRID * 16, _GRID * 16), Image.Resampling.BILINEAR)
  return np.array(smooth.resize((_GRID, _GRID), Image.Resampling.BOX)).ravel().tolist()


def _without_patches(file: bytes) -> Callable[[set[int]], bytes]:
  picture = np.array(Image.open(io.BytesIO(file)).convert("RGB"))
  height, width = picture.shape[:2]
  mean = picture.mean(axis=(0, 1)).round().astype(np.uint8)

  def delete(gone: set[int]) -> bytes:
    left = picture.copy()
    for place in gone:
      row, column = divmod(place, _GRID)
      left[
        row * height // _GRID : (row + 1) * height // _GRID,
        column * width // _GRID : (column + 1) * width // _GRID,
      ] = mean
    written = io.BytesIO()
    Image.fromarray(left).save(written, "PNG")
    return written.getvalue()

  return delete


def _vanished(
  model: dlpipe.Model, reasons: Sequence[dict[str, Any]], chance: random.Random
) -> dict[str, float]:
  """Deletes one source word of each translation; one target word is watched."""
  texts = [" ".join(reason["source_tokens"]) for reason in reasons]
  rows = []
  for reason in model.explain(texts):
    sources, targets = reason["source_tokens"], reason["target_tokens"]
    words = [place for place, each in enumerate(sources) if each.isalpha()]
    watched = [place for place, each in enumerate(targets) if each.isalpha() and len(each) > 2]
    if len(words) < _LEAST_PARTS or not watched:
      continue
    target = chance.choice(watched)
    shares = reason["alignment"][target]
    named = max(words, key=lambda place: shares[place])
    other = chance.choice([place for place in words if place != named])
    rows.append((targets[target], *(_without_words(sources)({each}) for each in (named, other))))
  named, other = (
    [word not in answer["target_tokens"] for (word, *_), answer in zip(rows, said, strict=True)]
    for said in (model.explain([row[1] for row in rows]), model.explain([row[2] for row in rows]))
  )
  return {
    "deleted_in": len(rows),
    "vanished_named": round(statistics.fmean(named), 4),
    "vanished_random": round(statistics.fmean(other), 4),
    "margin": round(statistics.fmean(named) - statistics.fmean(other), 4),
  }


if __name__ == "__main__":
  main()
