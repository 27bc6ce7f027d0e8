"""Finds the spans on whose rows a model is right less often than on those of all others.

Wrong labels leave texts and pictures as they were: no comparison of inputs sees a day that was
labelled carelessly, or by somebody who means harm. A model of a whole window does.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator

import pyarrow as pa

from pipeline.problems import intervals

_CHANCE = 1e-4  # that of a comparison of data
_LEAST_GAP = 0.05  # days differ a little by nature, and of many rows chance explains nothing
_FEWEST = 10  # rows


def worse_spans(rows: pa.Table, span_of: Callable[[str], str | None]) -> Iterator[str]:
  """Yields a sentence on each span that is worse beyond chance.

  Args:
    rows: rows of `predictions.parquet`.
    span_of: from the origin of a row to the name of its span; None for a row of none.
  """
  from scipy.stats import binom  # slow to import

  count: collections.Counter[str] = collections.Counter()
  wrong: collections.Counter[str] = collections.Counter()
  columns = (rows["origin"].to_pylist(), rows["right"].to_pylist())
  for origin, right in zip(*columns, strict=True):
    span = span_of(origin or "")
    if span is not None:
      count[span] += 1
      wrong[span] += not right
  for span in sorted(count):
    of, bad = count[span], wrong[span]
    others, bad_others = sum(count.values()) - of, sum(wrong.values()) - bad
    if min(of, others) < _FEWEST:
      continue
    # The most that the others may be wrong about.
    share = intervals.share(bad_others, others)[1]
    if bad / of - bad_others / others >= _LEAST_GAP and binom.sf(bad - 1, of, share) < _CHANCE:
      yield (
        f"Of span {span} the model has {of - bad:,} of {of:,} held-out rows right "
        f"({1 - bad / of:.0%}), of the other spans {1 - bad_others / others:.0%}: its labels "
        "may be wrong, or its rows new. Look at them with `dlpipe check --labels` and `dlpipe runs "
        "rows`."
      )
