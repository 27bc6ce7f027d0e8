"""`Evaluator`: metrics of the candidate and of the model before, and the verdict on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.artifacts import ModelVerdict, Predictions
from components.judged_evaluator import executor


class EvaluatorSpec(component_spec.ComponentSpec):
  """TFX's, with judge and verdict, and with the writer of predictions; both with parameters."""

  INPUTS = standard_component_specs.EvaluatorSpec.INPUTS
  OUTPUTS = {
    **standard_component_specs.EvaluatorSpec.OUTPUTS,
    executor.VERDICT: component_spec.ChannelParameter(type=ModelVerdict),
    executor.PREDICTIONS: component_spec.ChannelParameter(type=Predictions),
  }
  PARAMETERS = {
    **standard_component_specs.EvaluatorSpec.PARAMETERS,
    executor.JUDGE: component_spec.ExecutionParameter(type=str),
    executor.GATES: component_spec.ExecutionParameter(type=str),
    executor.WRITER: component_spec.ExecutionParameter(type=str),
    executor.ROWS: component_spec.ExecutionParameter(type=str),
    executor.CODE_FINGERPRINT: component_spec.ExecutionParameter(type=str),
  }


class Evaluator(base_beam_component.BaseBeamComponent):
  """Evaluates a model with TFMA and judges it, once, for all who ask.

  Component `outputs` contains:

  - `evaluation`: `standard_artifacts.ModelEvaluation`, TFMA's.
  - `verdict`: `ModelVerdict`; the directory holds `verdict.json`.
  - `predictions`: `Predictions`, a row for each val and eval example.
  - `blessing`: `standard_artifacts.ModelBlessing`, by the verdict.
  """

  SPEC_CLASS = EvaluatorSpec
  EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

  def __init__(
    self,
    *,
    examples: types.BaseChannel,
    model: types.BaseChannel,
    baseline_model: types.BaseChannel,
    eval_config: tfma.EvalConfig,
    example_splits: Sequence[str],
    judge: str,
    gates: Mapping[str, Any],
    writer: str,
    rows: Mapping[str, Any],
    code_fingerprint: str = "",
  ):
    """Draws the component.

    Args:
      examples: `Examples`, from the source.
      model: a `Model`, from Trainer.
      baseline_model: a `Model` to compare with; empty, or one that holds `NO_MODEL`, for none.
      eval_config: TFMA's, without thresholds.
      example_splits: splits to evaluate on.
      judge: dotted path of the function that judges.
      gates: the judge's parameters; anything that JSON can contain.
      writer: dotted path of the function that writes the predictions.
      rows: the writer's parameters, likewise.
      code_fingerprint: changes when the code of judge or writer changes, so that they run again.
    """
    spec = EvaluatorSpec(
      examples=examples,
      model=model,
      baseline_model=baseline_model,
      eval_config=eval_config,
      example_splits=json_utils.dumps(list(example_splits)),
      fairness_indicator_thresholds=json_utils.dumps(None),
      evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
      blessing=types.Channel(type=standard_artifacts.ModelBlessing),
      **{
        executor.VERDICT: types.Channel(type=ModelVerdict),
        executor.JUDGE: judge,
        executor.PREDICTIONS: types.Channel(type=Predictions),
        executor.GATES: json.dumps(gates, sort_keys=True),
        executor.WRITER: writer,
        executor.ROWS: json.dumps(rows, sort_keys=True),
        executor.CODE_FINGERPRINT: code_fingerprint,
      },
    )
    super().__init__(spec=spec)
