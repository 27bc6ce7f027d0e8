"""An Evaluator whose baseline may be missing although the node that finds one ran.

A resolver that finds nothing hands on no artifact. A node of ours always makes one, so one that
holds `NO_MODEL` stands for none.
"""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.components import Evaluator as TfxEvaluator
from tfx.components.evaluator import executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.types import standard_component_specs

NO_MODEL_FILE = "NO_MODEL"


class Executor(executor.Executor):
  """TFX's, without the baseline where there is none."""

  def Do(  # noqa: N802 - TFX's name
    self,
    input_dict: dict[str, list[types.Artifact]],
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
  ) -> None:
    """Evaluates, as TFX's does."""
    found = [
      model
      for model in input_dict.get(standard_component_specs.BASELINE_MODEL_KEY, [])
      if not fileio.exists(os.path.join(model.uri, NO_MODEL_FILE))
    ]
    inputs = {**input_dict, standard_component_specs.BASELINE_MODEL_KEY: found}
    super().Do(inputs, output_dict, exec_properties)


class Evaluator(TfxEvaluator):
  """TFX's Evaluator with that executor; its constructor, inputs and outputs are the same."""

  EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
