"""The Evaluator's configuration out of a task's gates, and its results as plain values.

The report, `--json` and the terminal read `Evaluation`; none of them knows TFMA.
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

from components.dotted_paths import load_function
from pipeline.classification_metrics import BINS_NAME
from pipeline.signatures import SERVING_EXAMPLES, TRANSFORM_LABEL
from pipeline.task import MetricGate, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
  """What the Evaluator found on the eval split.

  Attributes:
    metrics: overall metrics by name.
    baseline: the same of the model it was compared with; empty without one.
    slices: `{"feature", "value", "metrics"}` of each slice.
    confusion: `{(label id, predicted id): count}`; empty for tasks without classes.
    calibration: `{"low", "high", "count", "confidence", "accuracy"}` of each bin of scores.
  """

  metrics: dict[str, float]
  baseline: dict[str, float]
  slices: list[dict[str, Any]]
  confusion: dict[tuple[int, int], float]
  calibration: list[dict[str, float]]


def task_gates(task: Task, bounds: Mapping[str, float]) -> tuple[MetricGate, ...]:
  """The task's gates, with what the configuration's `gates` section replaces."""
  return tuple(
    dataclasses.replace(
      gate,
      bound=bounds.get(gate.metric, gate.bound),
      max_regression=bounds.get(f"{gate.metric}.max_regression", gate.max_regression),
    )
    for gate in task.gates
  )


def gate_facts(task: Task, bounds: Mapping[str, float]) -> list[dict[str, Any]]:
  """The gates without their reasons, as JSON: `metric`, `direction`, `bound`, `max_regression`."""
  names = ("metric", "direction", "bound", "max_regression")
  return [{name: getattr(gate, name) for name in names} for gate in task_gates(task, bounds)]


def eval_config(task: Task, gates: tuple[MetricGate, ...]) -> config_pb2.EvalConfig:
  """Builds the Evaluator's configuration: the task's metrics, each gate as a threshold.

  Raises:
    ValueError: a gate names a metric that the task does not compute.
  """
  metrics = load_function(task.metrics)()
  by_name = {json.loads(metric.config)["name"]: metric for metric in metrics}
  for gate in gates:
    if gate.metric not in by_name:
      raise ValueError(
        f"Task {task.name!r} gates on a metric it does not compute. "
        f"Received: {gate.metric!r}. Known: {sorted(by_name)}"
      )
    # MetricConfig.threshold would hold every slice to the bound; the empty spec is the whole split.
    by_name[gate.metric].per_slice_thresholds.append(
      config_pb2.PerSliceMetricThreshold(
        slicing_specs=[config_pb2.SlicingSpec()], threshold=_threshold(gate)
      )
    )
  return config_pb2.EvalConfig(
    model_specs=[
      config_pb2.ModelSpec(
        signature_name=SERVING_EXAMPLES,
        prediction_key=task.prediction_key,
        label_key=task.label_key if task.compares_raw_label else task.label_id_key,
        # Not transform_features, which would decode every input a second time.
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


def _threshold(gate: MetricGate) -> config_pb2.MetricThreshold:
  higher = gate.direction == "higher"
  threshold = config_pb2.MetricThreshold()
  if gate.bound is not None:
    bound = (
      threshold.value_threshold.lower_bound if higher else threshold.value_threshold.upper_bound
    )
    bound.value = gate.bound
  if gate.max_regression is not None:
    change = threshold.change_threshold
    change.direction = (
      config_pb2.MetricDirection.HIGHER_IS_BETTER
      if higher
      else config_pb2.MetricDirection.LOWER_IS_BETTER
    )
    # TFMA asks the change to exceed this, in the direction that is better.
    change.absolute.value = -gate.max_regression if higher else gate.max_regression
  return threshold


def read_evaluation(uri: str) -> Evaluation:
  """Reads a ModelEvaluation artifact."""
  config, *_ = eval_config_writer.load_eval_run(uri)
  # TFMA names the models only where it compared two.
  if len(config.model_specs) == 1:
    return _from_result(tfma.load_eval_result(uri), {})
  baseline = tfma.load_eval_result(uri, model_name=constants.BASELINE_KEY)
  return _from_result(
    tfma.load_eval_result(uri, model_name=constants.CANDIDATE_KEY), _overall(baseline)
  )


def _from_result(result: Any, baseline: dict[str, float]) -> Evaluation:
  overall: dict[str, float] = {}
  bins: np.ndarray | None = None
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
  slices.sort(key=lambda s: (s["feature"], s["value"]))
  return Evaluation(
    metrics=overall,
    baseline=baseline,
    slices=slices,
    confusion=_confusion(result.plots),
    calibration=_calibration(bins),
  )


def _overall(result: Any) -> dict[str, float]:
  [values] = [outputs[""][""] for key, outputs in result.slicing_metrics if not key]
  return _scalars(values)


def _scalars(values: Mapping[str, Any]) -> dict[str, float]:
  """Numbers by name, without the differences TFMA adds where there is a baseline."""
  return {
    name: float(value["doubleValue"])
    for name, value in sorted(values.items())
    if "doubleValue" in value and not name.endswith("_diff")
  }


def _array(value: Mapping[str, Any]) -> list[float]:
  array = value["arrayValue"]
  [numbers] = [v for k, v in array.items() if k.endswith("Values")]
  return [float(number) for number in numbers]


def _confusion(plots: Any) -> dict[tuple[int, int], float]:
  counts: dict[tuple[int, int], float] = {}
  for key, outputs in plots or ():
    if key or not outputs:  # TFMA has None where a task has no plots
      continue
    found = outputs.get("", {}).get("", {}).get("multiClassConfusionMatrixAtThresholds")
    for matrix in (found or {}).get("matrices", []):
      for entry in matrix.get("entries", []):
        # Protobuf's JSON leaves zeros out.
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


def confusion_rows(evaluation: Evaluation, labels: list[str]) -> list[list[float]]:
  """The confusion matrix with a row for each true label and a column for each predicted one."""
  size = len(labels)
  rows = [[0.0] * size for _ in range(size)]
  for (actual, predicted), count in evaluation.confusion.items():
    if 0 <= actual < size and 0 <= predicted < size:
      rows[actual][predicted] += count
  return rows


def per_class(confusion: list[list[float]], labels: list[str]) -> list[dict[str, Any]]:
  """Precision and recall of each label out of the confusion matrix; nan where undefined."""
  found = []
  for index, label in enumerate(labels):
    right = confusion[index][index]
    actual = sum(confusion[index])
    predicted = sum(row[index] for row in confusion)
    found.append(
      {
        "label": label,
        "precision": right / predicted if predicted else math.nan,
        "recall": right / actual if actual else math.nan,
        "count": int(actual),
      }
    )
  return found
