"""What TFMA computes for the sentiment task, named as the gates name it."""

from __future__ import annotations

from tensorflow_model_analysis.proto import config_pb2

from pipeline.problems.classification_metrics import classification_metrics


def metrics() -> list[config_pb2.MetricConfig]:
  """Loss, accuracy, skill, AUC, calibration and the confusion matrix."""
  return classification_metrics(auc=True)
