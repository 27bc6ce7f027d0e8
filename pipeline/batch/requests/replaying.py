"""Sends logged requests through two versions of a model and finds the answers that flip."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pipeline.batch.requests import windows
from pipeline.batch.requests.picking import sureness
from pipeline.batch.requests.reading import LoggedRow
from pipeline.problem import Problem
from pipeline.problems import intervals

# From inputs to a function that waits for their answers: a row of outputs, or why there is none.
Begin = Callable[[Sequence[bytes]], Callable[[], Sequence["dict[str, Any] | str"]]]

REFUSED = "(refused)"
SCORE = "score"
# As large as what `dlpipe batch` asks at once: enough rows to sort by length, few enough to hold.
_CHUNK_ROWS, _CHUNK_BYTES = 5000, 64 << 20
_KEPT_BYTES = 8 << 20  # of the inputs of flipped rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flip:
  """A logged request whose answer is another with the candidate.

  Attributes:
    id: the row's name in the log.
    client_id: the name that the caller gave to the request; empty if none.
    at: seconds since 1970.
    why: why it was logged.
    before: what the version that is compared with decides; `(refused)` if it cannot answer.
    after: what the candidate decides, likewise.
    before_score: the score of the first; None if it has none.
    after_score: that of the second.
    value: the input; None where those of many flips would take too much memory.
  """

  id: str
  client_id: str
  at: int
  why: str
  before: Any
  after: Any
  before_score: float | None
  after_score: float | None
  value: bytes | None

  def to_json(self) -> dict[str, Any]:
    """Returns the object of a report and of `--json`, without the input."""
    names = (field.name for field in dataclasses.fields(self) if field.name != "value")
    return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replay:
  """What became of the requests.

  Attributes:
    rows: how many were sent through both versions.
    without_input: how many could not be: they were refused, or their input was not logged.
    refused: how many neither version can answer.
    flips: the rows with another answer, the surest of the first version's answers first.
    sampled: how many of `rows` are of the random sample.
    sampled_flips: how many of `flips` are.
    interval: the 95 % interval of the flip rate of the traffic; None without a random sample.
  """

  rows: int
  without_input: int
  refused: int
  flips: tuple[Flip, ...]
  sampled: int
  sampled_flips: int
  interval: tuple[float, float] | None

  @property
  def rate(self) -> float | None:
    """The part of the random sample with another answer; None without one.

    Rows that are logged because they are unsure or rare flip more often than the traffic does.
    """
    return self.sampled_flips / self.sampled if self.sampled else None

  @property
  def pairs(self) -> list[tuple[Any, Any, int]]:
    """The answers before and after with the number of their flips, the most frequent first."""
    counts = collections.Counter((flip.before, flip.after) for flip in self.flips)
    return [(*pair, count) for pair, count in counts.most_common()]


class _Counts:
  """What has been found so far."""

  def __init__(self) -> None:
    self.rows = self.without_input = self.refused = self.sampled = self.sampled_flips = 0
    self.flips: list[Flip] = []
    self.kept = 0
    # How often each input of the random sample was asked.
    self.asked: collections.Counter[bytes] = collections.Counter()


def replay(
  rows: Iterable[LoggedRow],
  *,
  before: Begin,
  after: Begin,
  problem: Problem,
  tolerance: float = 0.0,
  on_rows: Callable[[int], None] = lambda count: None,
) -> Replay:
  """Sends rows through two versions; an input that was asked often counts as often.

  Args:
    rows: the log.
    before: asks the version to compare with.
    after: asks the candidate.
    problem: the kind of answer.
    tolerance: the largest difference of two numbers that is no flip.
    on_rows: called now and then with the number of rows that were answered.
  """
  counts = _Counts()
  waiting: tuple[list[LoggedRow], Callable[[], Any], Callable[[], Any]] | None = None
  for chunk in _chunks(rows, counts):
    values = [row.value or b"" for row in chunk]
    # While both versions answer this chunk, the last one is compared and the next is read.
    begun = (chunk, before(values), after(values))
    if waiting is not None:
      _compare(waiting, counts, problem, tolerance)
      on_rows(counts.rows)
    waiting = begun
  if waiting is not None:
    _compare(waiting, counts, problem, tolerance)
    on_rows(counts.rows)
  return Replay(
    rows=counts.rows,
    without_input=counts.without_input,
    refused=counts.refused,
    flips=tuple(sorted(counts.flips, key=lambda flip: -sureness(flip.before_score))),
    sampled=counts.sampled,
    sampled_flips=counts.sampled_flips,
    interval=_interval(counts),
  )


def _chunks(rows: Iterable[LoggedRow], counts: _Counts) -> Iterator[list[LoggedRow]]:
  chunk: list[LoggedRow] = []
  size = 0
  for row in rows:
    if row.value is None:
      counts.without_input += 1
      continue
    chunk.append(row)
    size += len(row.value)
    if len(chunk) >= _CHUNK_ROWS or size >= _CHUNK_BYTES:
      yield chunk
      chunk, size = [], 0
  if chunk:
    yield chunk


def _compare(
  waiting: tuple[list[LoggedRow], Callable[[], Any], Callable[[], Any]],
  counts: _Counts,
  problem: Problem,
  tolerance: float,
) -> None:
  rows, before, after = waiting
  for row, old, new in zip(rows, before(), after(), strict=True):
    counts.rows += 1
    is_sampled = row.why in windows.SAMPLED
    if is_sampled:
      counts.sampled += 1
      counts.asked[hashlib.blake2b(row.value or b"", digest_size=16).digest()] += 1
    first, second = _decided(old, problem), _decided(new, problem)
    counts.refused += first == second == REFUSED
    if _is_same(first, second, tolerance):
      continue
    counts.sampled_flips += is_sampled
    counts.kept += len(row.value or b"")
    counts.flips.append(
      Flip(
        id=row.id,
        client_id=row.client_id,
        at=row.at,
        why=row.why,
        before=first,
        after=second,
        before_score=_score(old),
        after_score=_score(new),
        value=row.value if counts.kept <= _KEPT_BYTES else None,
      )
    )


def _decided(answer: dict[str, Any] | str, problem: Problem) -> Any:
  return REFUSED if isinstance(answer, str) else problem.decision(answer)


def _is_same(first: Any, second: Any, tolerance: float) -> bool:
  if first == second:
    return True
  if isinstance(first, float) and isinstance(second, float):
    return abs(first - second) <= tolerance or (first != first and second != second)
  return False


def _score(answer: dict[str, Any] | str) -> float | None:
  score = answer.get(SCORE) if isinstance(answer, dict) else None
  return float(score) if isinstance(score, (int, float)) else None


def _interval(counts: _Counts) -> tuple[float, float] | None:
  """Returns Wilson's interval of the rate; an input that was asked often tells little more.

  Source: Kish 1965, "Survey Sampling": the effective size of a sample with weights.
  """
  if not counts.sampled:
    return None
  size = counts.sampled**2 / sum(count * count for count in counts.asked.values())
  return intervals.share(counts.sampled_flips / counts.sampled * size, size)
