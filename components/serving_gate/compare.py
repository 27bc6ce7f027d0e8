"""Holds the outputs of one replayed path to the expected ones. Knows numpy and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

_LABELS, _SCORES = ("labels", "classes"), "scores"
_LEAST_EXPLAINED = 0.1  # of a logit; what is much smaller explains nothing
_EXPLAINED = "label"  # the output of an explanation that says which label it explains
_TEXT_KINDS = "SUO"  # numpy's kinds of bytes, str and object (TensorFlow's strings)
_LOADERS = ("TF1", "TF2")
EVERY = "*"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PathResult:
  """The comparison of one output of one signature, asked in one way.

  Attributes:
    loader: the answering part: `TF2` or `TF1`, the loaders in this process; `REST` or `gRPC`, the
      model server's; `model server`, if it did not start; or the name of an example's file.
    signature: the signature's name, or `*` if no signature could run.
    output: the output's name, or `*` if the signature did not run at all.
    batch: rows in one request.
    max_difference: the largest absolute difference; None if it is no number.
    passed: whether every row is within the tolerance.
    reason: the difference in words; empty if it passed.
    slack: how many times the gate's tolerance `max_difference` may be: more than once for
      explanations.
  """

  loader: str
  signature: str
  output: str
  batch: int
  max_difference: float | None
  passed: bool
  reason: str
  slack: float = 1.0

  @property
  def asked(self) -> str:
    """The answering part, in words."""
    return f"{self.loader} loader" if self.loader in _LOADERS else self.loader

  @property
  def sentence(self) -> str:
    """Why this path refuses the model."""
    if self.signature == EVERY:
      return f"The {self.asked} {self.reason}"
    where = f"{self.signature} ({self.asked}, batch of {self.batch})"
    output = "" if self.output == EVERY else f": {self.output}"
    return f"{where}{output} {self.reason}"


def failed(loader: str, signature: str, batch: int, reason: str) -> PathResult:
  """Returns a path that gave no answer; the arguments are the attributes of the result."""
  return PathResult(
    loader=loader,
    signature=signature,
    output=EVERY,
    batch=batch,
    max_difference=None,
    passed=False,
    reason=reason,
  )


def compare(
  got: Mapping[str, np.ndarray],
  expected: Mapping[str, np.ndarray],
  *,
  loader: str,
  signature: str,
  batch: int,
  tolerance: float,
  slack: float = 1.0,
  answers: Mapping[str, np.ndarray] | None = None,
) -> Iterator[PathResult]:
  """Yields a result for each output that either side names.

  Strings must be equal, with one exception: if the expected `labels` (or `classes`) and `scores`
  give both strings of a row scores within the tolerance of each other, either is a right answer.

  Args:
    got: output name to array `[rows, ...]`, as replayed.
    expected: the same, as the training process computed it.
    loader: copied into the results, as are `signature` and `batch`.
    signature: which signature answered.
    batch: rows per request.
    tolerance: the largest difference of numbers that passes; of an output whose numbers are larger
      than 1, as a part of the largest.
    slack: how many times the tolerance this signature may differ by; copied into the results.
    answers: of explanations, the expected answers to the same rows. Rows may then be padded to
      different lengths; where both of two labels are right answers, either may be explained; and
      the mean difference of a row counts, as a part of the largest number, since where two values
      tie, a slope may go to either.
  """
  tables = _score_tables(expected if answers is None else answers)
  if answers is not None:
    got, expected = _alike(got, expected)
  for name in sorted({*got, *expected}):
    if name not in got:
      difference, reason = None, "the signature has no such output"
    elif name not in expected:
      difference, reason = None, "the training process recorded no expectation of this output"
    else:
      difference, reason = _compare_arrays(
        got[name], expected[name], tables, tolerance * slack, is_explanation=answers is not None
      )
    yield PathResult(
      loader=loader,
      signature=signature,
      output=name,
      batch=batch,
      max_difference=difference,
      passed=not reason,
      reason=reason,
      slack=slack,
    )


def padded(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
  """Pads arrays `[rows, ...]` of equal rank to the same lengths, with 0 or empty strings."""
  if len({array.ndim for array in arrays}) > 1:
    return list(arrays)
  lengths = [max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True)]
  found = []
  for array in arrays:
    shape = (len(array), *lengths)
    larger = np.full(shape, b"", object) if _is_text(array) else np.zeros(shape, array.dtype)
    larger[tuple(slice(size) for size in array.shape)] = array
    found.append(larger)
  return found


def _alike(
  got: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Pads the outputs that both have; leaves out rows in which they explain different labels."""
  one, other = dict(got), dict(expected)
  for name in got.keys() & expected.keys():
    one[name], other[name] = padded([got[name], expected[name]])
  if _EXPLAINED in got and _EXPLAINED in expected:
    labels = [[_as_bytes(v) for v in each[_EXPLAINED]] for each in (got, expected)]
    same = np.array([a == b for a, b in zip(*labels, strict=False)], bool)
    for each in (one, other):
      for name, values in each.items():
        if name != _EXPLAINED and len(values) == len(same):
          each[name] = values[same]
  return one, other


def _compare_arrays(
  got: np.ndarray,
  expected: np.ndarray,
  tables: list[dict[bytes, float]] | None,
  tolerance: float,
  is_explanation: bool,
) -> tuple[float | None, str]:
  if got.shape != expected.shape:
    return None, f"has the shape {list(got.shape)}, expected {list(expected.shape)}"
  if _is_text(got) != _is_text(expected):
    return None, f"is of type {got.dtype}, expected {expected.dtype}"
  if _is_text(got):
    return _compare_texts(got, expected, tables, tolerance)
  # Equal infinities differ by nan, and log-probabilities may be infinite.
  numbers, wanted = got.astype(np.float64), expected.astype(np.float64)
  # Prices of 300,000 have fewer digits after the point than scores have.
  least = _LEAST_EXPLAINED if is_explanation else 1.0
  size = max(least, float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)))
  with np.errstate(invalid="ignore"):
    differences = np.where(numbers == wanted, 0.0, np.abs(numbers - wanted) / size)
  if not np.isfinite(differences).all():
    row = np.argwhere(~np.isfinite(differences))[0][:1]
    return None, f"is not a finite number, or is one unexpectedly{_at(row)}"
  if is_explanation:
    differences = differences.mean(axis=tuple(range(1, differences.ndim)))
  largest = float(differences.max(initial=0.0))
  if largest <= tolerance:
    return largest, ""
  row = np.unravel_index(int(differences.argmax()), differences.shape)[:1]
  return largest, f"differs by {largest:.3g}{_at(row)}; tolerated are {tolerance:g}"


def _compare_texts(
  got: np.ndarray,
  expected: np.ndarray,
  tables: list[dict[bytes, float]] | None,
  tolerance: float,
) -> tuple[float | None, str]:
  largest = 0.0
  for index in np.ndindex(got.shape):
    one, other = _as_bytes(got[index]), _as_bytes(expected[index])
    if one == other:
      continue
    scores = tables[index[0]] if tables and index else {}
    gap = abs(scores[one] - scores[other]) if one in scores and other in scores else None
    if gap is None or not gap <= tolerance:
      return None, f"is {_shown(one)}, expected {_shown(other)}{_at(index[:1])}"
    largest = max(largest, gap)
  return largest, ""


def _score_tables(expected: Mapping[str, np.ndarray]) -> list[dict[bytes, float]] | None:
  """Maps label to score for each row; None for outputs that are no classification."""
  labels = next((expected[name] for name in _LABELS if name in expected), None)
  scores = expected.get(_SCORES)
  if labels is None or scores is None or labels.ndim != 2 or labels.shape != scores.shape:
    return None
  return [
    {_as_bytes(label): float(score) for label, score in zip(*row, strict=True)}
    for row in zip(labels, scores, strict=True)
  ]


def _is_text(array: np.ndarray) -> bool:
  return array.dtype.kind in _TEXT_KINDS


def _as_bytes(value: Any) -> bytes:
  return value.encode() if isinstance(value, str) else bytes(value)


def _shown(value: bytes) -> str:
  return repr(value[:60].decode("utf-8", errors="replace"))


def _at(row: Any) -> str:
  return f" in row {int(row[0])}" if len(row) else ""
