"""The finding of `dlpipe check --labels`: labels that are likely wrong."""

from __future__ import annotations

from pipeline.checks.finding import NOTE, WARNING, Finding
from pipeline.suspects.search import Suspects

_SHOWN = 20
# The model must beat always guessing the commonest label by this part of its errors.
_LEARNT = 0.2
# If the model is wrong so often, most of its suspects are its own mistakes.
_UNSURE = 0.85
_ADVICE = (
  "Look at them. --suspects FILE.csv writes all: enter the right label as new_label where it is "
  "wrong, and give the file to a run by --set data.relabel=FILE.csv."
)


def wrong_labels(found: Suspects) -> list[Finding]:
  """Returns the finding; a note if the model that was asked knows little itself."""
  errors, guessing = 1 - found.accuracy, 1 - found.majority
  if not found.looked_at or errors > (1 - _LEARNT) * guessing:
    reasons = "; ".join(found.left_out)
    return [
      Finding(
        name="unjudged_labels",
        level=NOTE,
        count=found.of,
        what="Likely wrong labels cannot be told: a cheap model learns too little of the data.",
        advice=f"It is right about {found.accuracy:.0%}, and the commonest label is on "
        f"{found.majority:.0%}.",
        details=(reasons,) if reasons else (),
      )
    ]
  if not found.likely:
    return []
  count = len(found.likely)
  sure = found.accuracy >= _UNSURE
  doubt = (
    "" if sure else f" The model is right about {found.accuracy:.0%}, so many are its own mistakes."
  )
  shown = found.likely[:_SHOWN]
  return [
    Finding(
      name="wrong_labels",
      level=WARNING if sure else NOTE,
      count=count,
      what=f"{count:,} label{'s' if count != 1 else ''} of {found.looked_at:,} may be wrong: a "
      f"cheap model that has not seen them says otherwise.{doubt}",
      advice=_ADVICE,
      examples=tuple((each.number,) for each in shown),
      details=found.left_out,
      suggested={each.number: each.suggested for each in shown},
    )
  ]
