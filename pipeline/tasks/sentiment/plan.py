"""The training plan of the sentiment task: first the bag of words, then the readers.

The second phase starts from the best epoch of the first. If no correction improves val, the
unchanged bag is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.task import Phase

if TYPE_CHECKING:
  from pipeline.tasks.sentiment.params import SentimentParams

_BAG = ("bag_words", "bag_pairs", "bag_bias")
_READER_PARTS = ("words", "states", "correction")


def reader_names(readers: int) -> tuple[str, ...]:
  """Returns the prefixes of the readers' layer names."""
  return tuple(f"reader{number}" for number in range(1, readers + 1))


def training_plan(params: SentimentParams) -> tuple[Phase, ...]:
  """Returns the phases `bag` and `readers`; without readers, the first alone."""
  readers = reader_names(params.readers)
  bag = Phase(
    name="bag",
    epochs=params.bag_epochs,
    learning_rate=params.bag_learning_rate,
    frozen=tuple(f"{reader}_{part}" for reader in readers for part in _READER_PARTS),
    # A linear model needs fewer steps.
    min_steps=params.min_steps // 2,
    epochs_setting="bag_epochs",
  )
  if not readers:
    return (bag,)
  return (
    bag,
    Phase(
      name="readers",
      epochs=params.epochs,
      learning_rate=params.learning_rate,
      frozen=_BAG,
      min_steps=params.min_steps,
    ),
  )
