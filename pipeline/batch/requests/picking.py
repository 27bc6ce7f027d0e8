"""Picks logged rows that are worth a label."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.batch.requests import windows
from pipeline.batch.requests.reading import LoggedRow
from pipeline.problem import Problem

UNSURE, RANDOM, DISAGREEMENT = "unsure", "random", "disagreement"
_SCORE, _SCORES = "score", "scores"
_BATCH = 256
Ask = Callable[[Sequence[bytes]], Sequence[Any]]


def decided(answer: Mapping[str, Any], problem: Problem) -> Any:
  """Returns what a logged answer decides; None if it lacks an output that says so."""
  if any(name not in answer for name in problem.decisive):
    return None
  return problem.decision(answer)


def score_of(answer: Mapping[str, Any]) -> float | None:
  """Returns how sure an answer is: its score, or that of its least sure label; None without.

  >>> score_of({"label": "a", "labels": ["a", "b"], "scores": [0.9, 0.375]})
  0.625
  """
  score, scores = answer.get(_SCORE), answer.get(_SCORES)
  if isinstance(score, (int, float)):
    return float(score)
  if _SCORE in answer or not isinstance(scores, list) or not scores:
    return None
  return min((max(each, 1 - each) for each in scores), key=lambda each: (each == each, each))


def sureness(score: Any) -> float:
  """Returns a score by which answers are ordered; 0 if there is none, or it is no number."""
  is_number = isinstance(score, (int, float)) and not math.isnan(score)
  return float(score) if is_number else 0.0


def unsure(rows: Iterable[LoggedRow], count: int) -> list[LoggedRow]:
  """Returns the rows with the lowest scores, the lowest first; each input once."""
  found: list[tuple[float, int, LoggedRow]] = []
  for number, row in enumerate(_answered(rows)):
    score = score_of(row.answer)
    if score is None:
      continue
    # One that is no number is the least sure of all.
    entry = (math.inf if math.isnan(score) else -score, -number, row)
    if len(found) < count:
      heapq.heappush(found, entry)
    else:
      heapq.heappushpop(found, entry)
  return [row for _, _, row in sorted(found, key=lambda entry: (-entry[0], -entry[1]))]


def at_random(rows: Iterable[LoggedRow], count: int, *, seed: int) -> list[LoggedRow]:
  """Returns rows of the random sample, in order: a metric on them holds for the traffic's inputs.

  Rows that are logged for another reason are left out: they would make the service look worse.
  """
  rng = random.Random(seed)
  found: list[tuple[int, LoggedRow]] = []
  # Before equal inputs are dropped, so that one that is logged for another reason takes none away.
  sampled = (row for row in rows if row.why in windows.SAMPLED)
  for number, row in enumerate(_answered(sampled)):
    if len(found) < count:
      found.append((number, row))
    elif (place := rng.randint(0, number)) < count:
      found[place] = (number, row)
  return [row for _, row in sorted(found, key=lambda each: each[0])]


def disagreement(
  rows: Iterable[LoggedRow], count: int, *, ask: Ask, problem: Problem
) -> list[LoggedRow]:
  """Returns rows to which another version answers otherwise, the surest logged answers first.

  Args:
    rows: the log.
    count: how many.
    ask: from inputs to what the other version decides; None where it cannot answer.
    problem: the kind of answer.
  """
  found: list[tuple[float, int, LoggedRow]] = []
  numbered = enumerate(_answered(rows))
  while batch := list(itertools.islice(numbered, _BATCH)):
    others = ask([row.value for _, row in batch if row.value is not None])
    for (number, row), other in zip(batch, others, strict=True):
      if other is None or decided(row.answer, problem) in (None, other):
        continue
      heapq.heappush(found, (sureness(score_of(row.answer)), -number, row))
      if len(found) > count:
        heapq.heappop(found)
  return [row for _, _, row in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def _answered(rows: Iterable[LoggedRow]) -> Iterator[LoggedRow]:
  """Yields rows with their input and an answer; each input once, as it came first."""
  seen: set[bytes] = set()
  for row in rows:
    if row.value is None or not row.answer:
      continue
    digest = hashlib.blake2b(row.value, digest_size=16).digest()
    if digest not in seen:
      seen.add(digest)
      yield row
