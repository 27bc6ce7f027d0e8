"""`Tuner`: TFX's, which also keeps the result of every trial, and why some failed."""

from __future__ import annotations

import os
import shutil
from typing import Any

from tfx import types
from tfx.components.tuner import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs

from components.trials import Trials


class Executor(executor.Executor):
  """Searches as TFX does; `tuner_fn` leaves `trials.json` in its working directory."""

  def Do(  # noqa: N802
    self,
    input_dict: dict[str, list[types.Artifact]],
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
  ) -> None:
    """Runs the search, and puts the record of it beside TFX's own results."""
    super().Do(input_dict, output_dict, exec_properties)
    results = artifact_utils.get_single_uri(output_dict[standard_component_specs.TUNER_RESULTS_KEY])
    shutil.copyfile(
      os.path.join(self._get_tmp_dir(), Trials.FILE), os.path.join(results, Trials.FILE)
    )


class Tuner(component.Tuner):
  """TFX's Tuner, whose `tuner_results` hold `trials.json` besides."""

  EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
