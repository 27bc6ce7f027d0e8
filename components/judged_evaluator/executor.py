"""Runs the Evaluator: TFX's computes, the judge judges, the blessing follows, rows are written.

TFX's own judgement compares floating-point numbers without slack and knows neither intervals nor
too few rows, so its Evaluator is given no thresholds, and blesses nothing.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.components.evaluator import constants, executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils

from components.judged_evaluator import loaded
from components.model_history.history import NO_MODEL_FILE
from dlpipe.dotted_paths import load_function
from dlpipe.progress import report
from dlpipe.verdicts import Verdict

VERDICT, PREDICTIONS = "verdict", "predictions"
WRITER, ROWS = "writer", "rows"
JUDGE, GATES, CODE_FINGERPRINT = "judge", "gates", "code_fingerprint"
_MODEL, _BASELINE = standard_component_specs.MODEL_KEY, standard_component_specs.BASELINE_MODEL_KEY
_EXAMPLES = standard_component_specs.EXAMPLES_KEY
# By TFX's name for it.
_SHARED_MODEL = {"custom_eval_shared_model": f"{loaded.__name__}.eval_shared_model"}


class Executor(executor.Executor):
  """Evaluates as TFX's does, and blesses by the verdict."""

  def Do(  # noqa: N802 - TFX's name
    self,
    input_dict: dict[str, list[types.Artifact]],
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
  ) -> None:
    """Writes the evaluation, predictions, `verdict.json` and blessing; to refuse is no failure.

    Args:
      input_dict: as of TFX's Evaluator.
      output_dict: the same, and `verdict` and `predictions`, one artifact each.
      exec_properties: the same, and `judge`, the dotted path of a function of the evaluation's
        directory, the content of `gates`, the candidate's SavedModel directory, the baseline's (or
        None) and the directory of `predictions`; it returns a `Verdict`. And `writer`, the dotted
        path of a function of the directories of `predictions`, the examples and the candidate's
        SavedModel, and of the content of `rows`; it writes what the model says of each example.
    """
    baselines = [
      model
      for model in input_dict.get(_BASELINE, [])
      if not fileio.exists(os.path.join(model.uri, NO_MODEL_FILE))
    ]
    model = artifact_utils.get_single_instance(input_dict[_MODEL])
    with loaded.kept():
      super().Do(
        {**input_dict, _BASELINE: baselines}, output_dict, {**exec_properties, **_SHARED_MODEL}
      )
      load_function(exec_properties[WRITER])(
        artifact_utils.get_single_uri(output_dict[PREDICTIONS]),
        artifact_utils.get_single_uri(input_dict[_EXAMPLES]),
        path_utils.serving_model_path(model.uri),
        json.loads(exec_properties[ROWS]),
      )
    verdict: Verdict = load_function(exec_properties[JUDGE])(
      artifact_utils.get_single_uri(output_dict[standard_component_specs.EVALUATION_KEY]),
      json.loads(exec_properties[GATES]),
      path_utils.serving_model_path(model.uri),
      path_utils.serving_model_path(baselines[0].uri) if baselines else None,
      artifact_utils.get_single_uri(output_dict[PREDICTIONS]),
    )
    directory = artifact_utils.get_single_uri(output_dict[VERDICT])
    io_utils.write_string_file(
      os.path.join(directory, Verdict.FILE), verdict.to_text(allow_nan=False)
    )
    blessing = artifact_utils.get_single_instance(
      output_dict[standard_component_specs.BLESSING_KEY]
    )
    _bless(blessing, model, baselines, passed=verdict.passed)
    failed = verdict.failed
    report(f"Refused by {', '.join(failed)}" if failed else "Every gate is passed", failed=failed)


def _bless(
  blessing: types.Artifact,
  model: types.Artifact,
  baselines: list[types.Artifact],
  *,
  passed: bool,
) -> None:
  """Marks the artifact as TFX's Evaluator does, so that whatever reads its blessings reads ours."""
  blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
  blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
  for baseline in baselines:
    uri, number = (
      constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
      constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
    )
    blessing.set_string_custom_property(uri, baseline.uri)
    blessing.set_int_custom_property(number, baseline.id)
  file = constants.BLESSED_FILE_NAME if passed else constants.NOT_BLESSED_FILE_NAME
  io_utils.write_string_file(os.path.join(blessing.uri, file), "")
  value = constants.BLESSED_VALUE if passed else constants.NOT_BLESSED_VALUE
  blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
