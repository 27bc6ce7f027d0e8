"""Lists the orchestrators that `dlpipe compile` writes for, one line each.

The folder `pipeline/orchestrators/<name>/` has `section.py` with `SECTION`, its section of a
configuration, and `compiling.py` with `write`. This module imports them only when they are needed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, ClassVar

from dlpipe.dotted_paths import load_function
from pipeline.params import Section

ORCHESTRATORS = (
  "kubeflow",
  "airflow",
)


class OrchestratorSection(Section):
  """The settings of an orchestrator.

  Attributes:
    name: name of the orchestrator, of its folder and of its section in a configuration.
    suffix: default suffix of the file that `dlpipe compile` writes, such as `.py`.
    help: describes that file, for `dlpipe compile --help`.
    template_mark: a text in `--data`, or in `data.last_span`, that makes it a template, which the
      orchestrator fills in for each run; None if it fills in none.
    can_finish: whether a run ends with `dlpipe finish`, which reads the section `keep`.
  """

  name: ClassVar[str]
  suffix: ClassVar[str]
  help: ClassVar[str]
  template_mark: ClassVar[str | None] = None
  can_finish: ClassVar[bool] = True

  def unread(self) -> Mapping[str, str]:
    """Returns settings that have no effect given the others, each with advice for the user."""
    return {}


def is_template(orchestrator: str | None, text: str | None) -> bool:
  """Returns whether an orchestrator fills in a path, or a span's name, for each run.

  >>> is_template("airflow", "inbox/{{ ds }}"), is_template(None, "inbox/{{ ds }}")
  (True, False)
  """
  mark = section_of(orchestrator).template_mark if orchestrator in ORCHESTRATORS else None
  return mark is not None and mark in (text or "")


@functools.cache
def section_of(name: str) -> type[OrchestratorSection]:
  """Returns the section class of an orchestrator.

  >>> section_of("airflow").suffix
  '.py'

  Args:
    name: one of `ORCHESTRATORS`.
  """
  section: Any = load_function(f"pipeline.orchestrators.{name}.section.SECTION")
  found: type[OrchestratorSection] = section
  return found
