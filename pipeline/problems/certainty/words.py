"""Says for the terminal what a model does not know. Imports no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.problems.certainty.record import (
  DECISION,
  FAMILIARITY,
  HIGH,
  LOW,
  OUTPUTS,
  SET,
  STRANGE,
  UNSURE,
)

_MOST = 5  # labels of a set that are named

Words = Callable[[Mapping[str, Any]], list[str]]


def with_doubts(words: Words) -> Words:
  """Returns words of an answer, and after them those of what the model does not know.

  >>> say = with_doubts(lambda outputs: [outputs["label"]])
  >>> say({"label": "cat", "set": ["cat", "dog"], "familiarity": 0.003, "decision": "unsure"})
  ['cat', 'unsure: cat or dog', 'unfamiliar (p 0.003)']
  """

  def said(outputs: Mapping[str, Any]) -> list[str]:
    answer = {name: value for name, value in outputs.items() if name not in OUTPUTS}
    return [*words(answer), *_doubts(outputs)]

  return said


def _doubts(outputs: Mapping[str, Any]) -> list[str]:
  found = []
  chance = outputs.get(FAMILIARITY)
  is_strange = isinstance(chance, float) and chance < STRANGE
  low, high = outputs.get(LOW), outputs.get(HIGH)
  if isinstance(low, (int, float)) and isinstance(high, (int, float)):
    found.append(f"from {low:.6g} to {high:.6g}")
  if outputs.get(DECISION) == UNSURE:
    # An answer of a task's own may have an output of the same name, of any kind.
    of_set = outputs.get(SET)
    labels = [label for label in of_set if label] if isinstance(of_set, (list, tuple)) else []
    if len(labels) > 1:
      found.append(f"unsure: {_alternatives(labels)}")
    elif not is_strange:
      found.append("unsure")
  if is_strange:
    found.append(f"unfamiliar (p {chance:.1g})")
  return found


def _alternatives(labels: Sequence[str]) -> str:
  if len(labels) > _MOST:
    return f"{', '.join(labels[:_MOST])} or {len(labels) - _MOST:,} more"
  return f"{', '.join(labels[:-1])} or {labels[-1]}"
