"""Builds the Evaluator's configuration for a task, and reads its results as plain values.

The report, `--json` and the terminal read `Evaluation`; none of them imports TFMA.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import eval_config_writer

from dlpipe.dotted_paths import load_function
from pipeline.problems.classification_metrics import BINS_NAME, COMMON_NAME
from pipeline.problems.intervals import Interval
from pipeline.problems.paired_metrics import CHANGE, INTERVAL
from pipeline.task import Task
from pipeline.training.export.signatures import SERVING_EXAMPLES, TRANSFORM_LABEL


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
  """The Evaluator's results on the eval split.

  Attributes:
    metrics: overall metrics by name.
    baseline: the same metrics of the baseline model; empty without one.
    slices: `{"feature", "value", "metrics"}` of each slice.
    confusion: `{(label id, predicted id): count}`; empty unless the problem computes it.
    calibration: `{"low", "high", "count", "confidence", "accuracy"}` of each bin of scores.
    intervals: 95 % intervals of metrics for splits of this size, of the metrics that have one.
    changes: 95 % intervals of the candidate's metrics minus the baseline's.
    common: if there is a baseline: the number of rows whose class both models know, the
      candidate's accuracy on them, and the baseline's.
    arrays: other arrays that a problem's metrics emit, overall, by name; flat.
  """

  metrics: dict[str, float]
  baseline: dict[str, float]
  slices: list[dict[str, Any]]
  confusion: dict[tuple[int, int], float]
  calibration: list[dict[str, float]]
  intervals: dict[str, Interval] = dataclasses.field(default_factory=dict)
  changes: dict[str, Interval] = dataclasses.field(default_factory=dict)
  common: tuple[float, float, float] | None = None
  arrays: dict[str, list[float]] = dataclasses.field(default_factory=dict)


def eval_config(task: Task) -> config_pb2.EvalConfig:
  """Builds the Evaluator's configuration: the task's metrics, without thresholds.

  Raises:
    ValueError: a gate names a metric that the task does not compute.
  """
  metrics = load_function(task.problem.metrics)()
  names = [json.loads(metric.config)["name"] for metric in metrics]
  for gate in task.gates:
    if gate.metric not in names:
      raise ValueError(
        f"Task {task.name!r} gates on a metric it does not compute. "
        f"Received: {gate.metric!r}. Known: {sorted(names)}"
      )
  return config_pb2.EvalConfig(
    model_specs=[
      config_pb2.ModelSpec(
        signature_name=SERVING_EXAMPLES,
        prediction_key=task.problem.prediction_key,
        label_key=task.problem.compared_key(task.label_key),
        # transform_features would decode every input a second time.
        preprocessing_function_names=[TRANSFORM_LABEL],
      )
    ],
    slicing_specs=[
      config_pb2.SlicingSpec(),
      *(
        config_pb2.SlicingSpec(feature_keys=[name])
        for name in (*task.slices, *task.transformed_slices)
      ),
    ],
    metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
  )


def read_evaluation(uri: str) -> Evaluation:
  """Reads a ModelEvaluation artifact."""
  config, *_ = eval_config_writer.load_eval_run(uri)
  # TFMA names the models only if it compared two.
  if len(config.model_specs) == 1:
    return _from_result(tfma.load_eval_result(uri), {})
  baseline = tfma.load_eval_result(uri, model_name=constants.BASELINE_KEY)
  return _from_result(
    tfma.load_eval_result(uri, model_name=constants.CANDIDATE_KEY), _overall(baseline)
  )


def _from_result(result: Any, baseline: dict[str, float]) -> Evaluation:
  overall: dict[str, float] = {}
  bins: np.ndarray | None = None
  intervals: dict[str, Interval] = {}
  changes: dict[str, Interval] = {}
  common = None
  arrays: dict[str, list[float]] = {}
  slices = []
  for key, outputs in result.slicing_metrics:
    values = outputs.get("", {}).get("", {})
    scalars = _scalars(values)
    if key:
      [(feature, value)] = key
      slices.append({"feature": feature, "value": str(value), "metrics": scalars})
    else:
      overall = scalars
      if BINS_NAME in values:
        bins = np.asarray(_array(values[BINS_NAME]), float).reshape(-1, 3)
      intervals, changes = _pairs(values, INTERVAL), _pairs(values, CHANGE)
      arrays = _arrays(values)
      if COMMON_NAME in values:
        known, now, before = _array(values[COMMON_NAME])
        common = (known, now, before) if known == known else None
  slices.sort(key=lambda s: (s["feature"], s["value"]))
  return Evaluation(
    metrics=overall,
    baseline=baseline,
    slices=slices,
    confusion=_confusion(result.plots),
    calibration=_calibration(bins),
    intervals=intervals,
    changes=changes,
    common=common,
    arrays=arrays,
  )


def _overall(result: Any) -> dict[str, float]:
  [values] = [outputs[""][""] for key, outputs in result.slicing_metrics if not key]
  return _scalars(values)


def _scalars(values: Mapping[str, Any]) -> dict[str, float]:
  """Returns scalars by name, without the differences that TFMA adds if there is a baseline."""
  return {
    name: float(value["doubleValue"])
    for name, value in sorted(values.items())
    if "doubleValue" in value and not name.endswith("_diff")
  }


def _pairs(values: Mapping[str, Any], suffix: str) -> dict[str, Interval]:
  """Returns, by metric, the finite intervals stored under the metric's name plus `suffix`."""
  found = {}
  for name, value in values.items():
    if name.endswith(suffix) and "arrayValue" in value:
      low, high = _array(value)
      if math.isfinite(low) and math.isfinite(high):
        found[name.removesuffix(suffix)] = (low, high)
  return found


def _arrays(values: Mapping[str, Any]) -> dict[str, list[float]]:
  """Returns every array that is no interval and has no other field in `Evaluation`."""
  return {
    name: _array(value)
    for name, value in values.items()
    if "arrayValue" in value
    and not name.endswith((INTERVAL, CHANGE))
    and name not in (BINS_NAME, COMMON_NAME)
  }


def _array(value: Mapping[str, Any]) -> list[float]:
  array = value["arrayValue"]
  [numbers] = [v for k, v in array.items() if k.endswith("Values")]
  return [float(number) for number in numbers]


def _confusion(plots: Any) -> dict[tuple[int, int], float]:
  counts: dict[tuple[int, int], float] = {}
  for key, outputs in plots or ():
    if key or not outputs:  # TFMA returns None if a task has no plots
      continue
    found = outputs.get("", {}).get("", {}).get("multiClassConfusionMatrixAtThresholds")
    for matrix in (found or {}).get("matrices", []):
      for entry in matrix.get("entries", []):
        # Protobuf's JSON omits zeros.
        cell = int(entry.get("actualClassId", 0)), int(entry.get("predictedClassId", 0))
        counts[cell] = float(entry.get("numWeightedExamples", 0))
  return counts


def _calibration(bins: np.ndarray | None) -> list[dict[str, float]]:
  if bins is None:
    return []
  width = 1 / len(bins)
  return [
    {
      "low": index * width,
      "high": (index + 1) * width,
      "count": count,
      "confidence": score / count,
      "accuracy": right / count,
    }
    for index, (count, score, right) in enumerate(bins.tolist())
    if count
  ]
