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
  """

  name: ClassVar[str]
  suffix: ClassVar[str]
  help: ClassVar[str]

  def unread(self) -> Mapping[str, str]:
    """Returns settings that have no effect given the others, each with advice for the user."""
    return {}


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
