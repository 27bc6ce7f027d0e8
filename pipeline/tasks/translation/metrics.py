"""What TFMA computes for the translation task, named as the gates name it."""

from __future__ import annotations

from tensorflow_model_analysis.proto import config_pb2

from pipeline.problems.translation_metrics import translation_metrics


def metrics() -> list[config_pb2.MetricConfig]:
  """Corpus BLEU and chrF, and the share of rows that are right to the letter."""
  return translation_metrics()
