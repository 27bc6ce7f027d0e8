"""The orchestrators that `dlpipe compile` writes for: a line each; the rest is in their folders.

A folder `pipeline/orchestrators/<name>/` has `section.py` with `SECTION`, its section of a
configuration, and `compiling.py` with `write`. This module imports neither until it is asked.
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
  """What a user may say of how an orchestrator carries out a pipeline.

  Attributes:
    name: the orchestrator's, its folder's and the section's in a configuration.
    suffix: how the file that `dlpipe compile` writes is called where nobody says, such as `.py`.
    help: what that file is, for `dlpipe compile --help`.
  """

  name: ClassVar[str]
  suffix: ClassVar[str]
  help: ClassVar[str]

  def unread(self) -> Mapping[str, str]:
    """Settings that say nothing beside the others, each with what to do instead."""
    return {}


@functools.cache
def section_of(name: str) -> type[OrchestratorSection]:
  """The section of an orchestrator.

  >>> section_of("airflow").suffix
  '.py'

  Args:
    name: one of `ORCHESTRATORS`.
  """
  section: Any = load_function(f"pipeline.orchestrators.{name}.section.SECTION")
  found: type[OrchestratorSection] = section
  return found
