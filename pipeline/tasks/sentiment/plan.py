"""The training plan of the sentiment task: the bag is judged, then the readers are trained.

`bag.adapt` has fitted the bag before. The second phase starts from it: if no correction improves
val, the bag alone is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.task import Phase

if TYPE_CHECKING:
  from pipeline.tasks.sentiment.params import SentimentParams

BAG = "bag"  # the layer of the bag, and the phase that judges it
STATES, CORRECTION = "states", "correction"  # ends of the names of each reader's layers


def reader_names(readers: int) -> tuple[str, ...]:
  """Returns the prefixes of the readers' layer names."""
  return tuple(f"reader{number}" for number in range(1, readers + 1))


def training_plan(params: SentimentParams) -> tuple[Phase, ...]:
  """Returns the phases `bag` and `readers`; without readers, the first alone."""
  bag = Phase(name=BAG, epochs=1, learning_rate=0.0, output=BAG, epochs_setting=None)
  if not params.readers:
    return (bag,)
  return (
    bag,
    Phase(
      name="readers",
      epochs=params.epochs,
      learning_rate=params.learning_rate,
      min_steps=params.min_steps,
    ),
  )
