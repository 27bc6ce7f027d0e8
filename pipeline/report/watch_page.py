"""Renders what `dlpipe watch` found as one self-contained HTML file."""

from __future__ import annotations

import datetime
from typing import Any

from pipeline.report.render import environment
from pipeline.report.sections.drift import rows_of, shown

_TITLES = {
  "requests": "Requests against what was trained on",
  "answers": "Answers against those to eval",
  "answers before": "Answers against those of the window before",
}


def render_watch(found: Any, *, task: str) -> str:
  """Returns the page as one HTML document that loads no other file and runs no script.

  Args:
    found: the `Watched` of `pipeline.batch.requests.watching`, which lies above this room.
    task: the task's name.
  """
  count = len(found.alarms)
  compared: list[dict[str, Any]] = [
    {
      "title": _TITLES[each.about],
      "words": f"{each.words[0].upper()}{each.words[1:]}",
      "changed": shown(each.drifted),
      "lasting": each.lasting,
      "returned": each.returned,
      "renewed": each.renewed,
      "quiet": [change for change in each.changes if not change.drifted],
    }
    for each in found.compared
  ]
  return (
    environment()
    .get_template("watch_page.html.j2")
    .render(
      found=found,
      task=task,
      headline=f"{count} changed" if count else "Nothing has changed",
      since=_said(found.since),
      until=_said(found.until),
      compared=compared,
      examples=rows_of(found.examples),
    )
  )


def _said(moment: float) -> str:
  at = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
  return f"{at:%Y-%m-%d %H:%M} UTC"
