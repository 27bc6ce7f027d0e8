"""BLEU and chrF through TFMA's combiner, against sacreBLEU on the same strings."""

import json
import unicodedata

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_model_analysis.metrics import metric_types

from pipeline.problems import intervals, translation_metrics

_PAIRS = [
  ("The cat sat on the mat.", "The cat sat on the mat."),
  ("The dog sits on a mat!", "The cat sat on the mat."),
  ("J'ai mangé une pomme rouge hier.", "J'ai mangé hier une pomme rouge."),
  ("", "Nothing was said."),
  ("Où ça\u202f?", "Où est-ce ?"),
  ("日本語", "日本"),
]


def _sum(count, pairs):
  return sum(count(prediction, reference) for prediction, reference in pairs)


def _bleu(pairs):
  return translation_metrics.bleu(_sum(translation_metrics.bleu_counts, pairs))


def _chrf(pairs):
  return translation_metrics.chrf(_sum(translation_metrics.chrf_counts, pairs))


def _columns(pairs):
  predictions, references = zip(*pairs, strict=True)
  return list(predictions), [list(references)]


def test_known_scores():
  assert _bleu(_PAIRS[:1]) == pytest.approx(100)
  assert _chrf(_PAIRS[:1]) == pytest.approx(100)
  assert _bleu(_PAIRS) == pytest.approx(sacrebleu.corpus_bleu(*_columns(_PAIRS)).score, abs=1e-9)
  assert _chrf(_PAIRS) == pytest.approx(sacrebleu.corpus_chrf(*_columns(_PAIRS)).score, abs=1e-9)
  assert 30 < _bleu(_PAIRS) < 60


_TEXT = st.text(alphabet="abc de.,!?'éàß \u202f\u00a0日1", max_size=30)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_TEXT, _TEXT), min_size=1, max_size=6))
def test_any_strings_score_as_in_sacrebleu(pairs):
  assert _bleu(pairs) == pytest.approx(sacrebleu.corpus_bleu(*_columns(pairs)).score, abs=1e-6)
  assert _chrf(pairs) == pytest.approx(sacrebleu.corpus_chrf(*_columns(pairs)).score, abs=1e-6)


def test_a_reference_may_be_spelled_decomposed():
  assert translation_metrics.row_chrf("\u00e9t\u00e9", "e\u0301te\u0301") == 100


def test_metrics_are_named_as_gates_name_them():
  configs = [json.loads(metric.config) for metric in translation_metrics.translation_metrics()]
  assert [config["name"] for config in configs] == ["example_count", "bleu", "chrf", "exact_match"]
  assert all(len(config["code"]) == 64 for config in configs[1:])


def test_tfma_computes_them_over_strings():
  import pandas
  import tensorflow_model_analysis as tfma
  from tensorflow_model_analysis.proto import config_pb2

  frame = pandas.DataFrame(
    {
      "translation": [p for p, _ in _PAIRS],
      # However a reference is encoded.
      "target": [unicodedata.normalize("NFD", r) for _, r in _PAIRS],
    }
  )
  config = config_pb2.EvalConfig(
    model_specs=[config_pb2.ModelSpec(prediction_key="translation", label_key="target")],
    slicing_specs=[config_pb2.SlicingSpec()],
    metrics_specs=[config_pb2.MetricsSpec(metrics=translation_metrics.translation_metrics())],
  )
  [(_, outputs)] = tfma.analyze_raw_data(frame, config).slicing_metrics
  found = outputs[""][""]
  values = {n: value["doubleValue"] for n, value in found.items() if "doubleValue" in value}
  assert values["bleu"] == pytest.approx(_bleu(_PAIRS))
  assert values["chrf"] == pytest.approx(_chrf(_PAIRS))
  assert values["exact_match"] == pytest.approx(1 / 6)
  assert values["example_count"] == 6
  low, high = found["bleu_interval"]["arrayValue"]["float64Values"]
  assert 0 <= low < values["bleu"] < high <= 100


def test_a_model_is_no_better_than_itself_in_any_replicate():
  names = ("bleu", "bleu_interval", "bleu_change")
  keys = [metric_types.MetricKey(name=name) for name in names]
  combiner = translation_metrics._SumCounts(
    translation_metrics.bleu_counts, translation_metrics.bleu, None, *keys
  )
  total = np.zeros((1 + intervals.REPLICATES, 10), np.int64)
  for prediction, reference in _PAIRS:
    weights = np.concatenate([[1], intervals.bootstrap_weights(prediction.encode())])
    total += weights[:, np.newaxis] * translation_metrics.bleu_counts(prediction, reference)
  value, interval, change = combiner.extract_output(np.stack([total, total])).values()
  assert interval[0] < value < interval[1]
  assert change.tolist() == [0.0, 0.0]
