"""Rows of made-up text whose words are distributed as in real text, for the text benchmarks.

Word ranks follow Zipf's law over 60,000 words, lengths those of short reviews (median 20 words).
Half of the rows of each label also hold one of its own words, so that there is something to learn.
"""

from __future__ import annotations

import csv
import pathlib

import numpy as np

_WORDS = 60_000
_LONGEST = 200
_CHUNK = 50_000


def write_csv(path: pathlib.Path, rows: int, seed: int = 1) -> None:
  """Writes a CSV with the columns text and label."""
  rng = np.random.default_rng(seed)
  letters = np.array(list("etaoinshrdlucmfwypvbgk"))
  words = np.array(
    ["".join(rng.choice(letters, rng.integers(2, 9))) + str(i) for i in range(_WORDS)]
  )
  weights = 1 / np.arange(1, _WORDS + 1)
  cumulative = np.cumsum(weights / weights.sum())
  with path.open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(("text", "label"))
    for start in range(0, rows, _CHUNK):
      count = min(_CHUNK, rows - start)
      lengths = np.clip(rng.lognormal(3.0, 0.6, count).astype(int), 3, _LONGEST)
      drawn = words[np.searchsorted(cumulative, rng.random(int(lengths.sum())))]
      begin = 0
      for number, length in enumerate(lengths):
        text = " ".join(drawn[begin : begin + length])
        begin += length
        label = ("negative", "positive")[number % 2]
        # The row's number keeps rows different, as sentences are.
        writer.writerow((f"{text} {label[:3] if number % 4 < 2 else ''} n{start + number}", label))
