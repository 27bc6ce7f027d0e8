"""The sections of the report, in their order on the page.

A section is a line in `SECTIONS`, a function that returns the values of its template, and the
template `templates/sections/<name>.html.j2`, which writes what stands below the heading. Beside
these values a template has `data`, `result`, `bar` and the filters of `formats`; what several need
is in `templates/macros.html.j2`. A new fact comes in as a field of `ReportData`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipeline.report.sections import (
  confusion,
  curves,
  data,
  doubts,
  drift,
  evaluation,
  flips,
  mistakes,
  of_run,
  training,
)
from pipeline.runs.report_data import ReportData


class Section(NamedTuple):
  """A section of the report.

  Attributes:
    name: names the template, and the section's address on the page.
    title: the heading.
    values: returns the values of the template; None if the section is left out.
  """

  name: str
  title: str
  values: Callable[[ReportData], Mapping[str, Any] | None]


SECTIONS = (
  Section("gates", "Gates", evaluation.gates),
  Section("metrics", "Evaluation", evaluation.metrics),
  Section("flips", "Against the model before, row by row", flips.flips),
  Section("confusion", "What is taken for what", confusion.matrix),
  Section("classes", "Each label, weakest first", confusion.classes),
  Section("answers", "How near the answers are", evaluation.answers),
  Section("calibration", "Can the scores be believed?", evaluation.calibration),
  Section("doubts", "What the model does not know", doubts.doubts),
  Section("curves", "What the scores are worth", curves.curves),
  Section("slices", "Slices", evaluation.slices),
  Section("pictures", "Mistakes to look at", mistakes.pictures),
  Section("texts", "Mistakes to read", mistakes.texts),
  Section("cells", "Examples of each confusion", confusion.cells),
  Section("samples", "What it writes", mistakes.samples),
  Section("training", "Training", training.training),
  Section("tuning", "Tuning", training.tuning),
  Section("behaviour", "Behaviour", of_run.behaviour),
  Section("parity", "Serves what was trained", of_run.parity),
  Section("drift", "What has changed in the data", drift.drift),
  Section("data", "Data", data.about_data),
  Section("components", "Where the time went", of_run.components),
  Section("settings", "Settings", of_run.settings),
)
