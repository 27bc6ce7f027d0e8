"""TFMA metrics for generated text: BLEU and chrF of the whole split, computed by sacreBLEU.

TFMA's BLEU needs lists of references as labels, and TFMA has no chrF. Here sacreBLEU counts each
row's n-grams and computes BLEU from the sums. TFMA imports the classes by name, so this
module must be importable on Beam workers.

Sources: Post 2018, "A Call for Clarity in Reporting BLEU Scores", https://arxiv.org/abs/1804.08771;
Popovic 2015, "chrF: character n-gram F-score", https://aclanthology.org/W15-3049
"""

from __future__ import annotations

import collections
import functools
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import sacrebleu
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from pipeline.problems import intervals
from pipeline.problems.paired_metrics import PairedCombiner, Scored, named_metrics, paired_metric

_BLEU_ORDER = 4
_CHRF_ORDER = 6
_CHRF_BETA = 2  # recall counts twice as much as precision


def translation_metrics() -> list[config_pb2.MetricConfig]:
  """Returns the metrics over a label and a prediction of one text each, in UTF-8."""
  named = {"CorpusBleu": "bleu", "CorpusChrf": "chrf", "ExactMatchShare": "exact_match"}
  return named_metrics(__name__, named)


def bleu_counts(prediction: str, reference: str) -> np.ndarray:
  """Counts one row: `[10]` int64, the matches and totals of each order, and both lengths."""
  # The effective order affects only the score of the row, which is not used.
  score = sacrebleu.BLEU(effective_order=True).sentence_score(prediction, [reference])
  return np.array([*score.counts, *score.totals, score.sys_len, score.ref_len], np.int64)


def bleu(counts: np.ndarray) -> float:
  """Computes BLEU, 0 to 100, from the sum of rows' counts."""
  matches, totals = counts[:_BLEU_ORDER], counts[_BLEU_ORDER : 2 * _BLEU_ORDER]
  sizes = counts[2 * _BLEU_ORDER :]
  return sacrebleu.BLEU.compute_bleu(
    matches.tolist(), totals.tolist(), int(sizes[0]), int(sizes[1]), smooth_method="exp"
  ).score


def chrf_counts(prediction: str, reference: str) -> np.ndarray:
  """Counts one row: `[18]` int64, each order's predicted, reference and matching n-grams."""
  counts = []
  texts = ["".join(text.split()) for text in (prediction, reference)]
  for order in range(1, _CHRF_ORDER + 1):
    said, wanted = (
      collections.Counter(text[i : i + order] for i in range(len(text) - order + 1))
      for text in texts
    )
    # As in sacreBLEU, orders that exceed the length of the reference do not count.
    counts += [said.total() if wanted else 0, wanted.total(), (said & wanted).total()]
  return np.array(counts, np.int64)


def chrf(counts: np.ndarray) -> float:
  """Computes chrF2, 0 to 100, from the sum of rows' counts."""
  # Orders that exceed the length of every text do not count.
  orders = [row for row in counts.reshape(-1, 3).tolist() if row[0] and row[1]]
  if not orders:
    return 0.0
  precision = sum(matches / said for said, _, matches in orders) / len(orders)
  recall = sum(matches / wanted for _, wanted, matches in orders) / len(orders)
  if not precision + recall:
    return 0.0
  weight = _CHRF_BETA**2
  return 100 * (1 + weight) * precision * recall / (weight * precision + recall)


def row_chrf(predicted: str, label: str) -> float:
  """Computes chrF2 of one row, 0 to 100."""
  return chrf(chrf_counts(_composed(predicted), _composed(label)))


def _match_counts(prediction: str, reference: str) -> np.ndarray:
  return np.array([prediction.split() == reference.split(), 1], np.int64)


def _share(counts: np.ndarray) -> float:
  return float(counts[0] / counts[1]) if counts[1] else float("nan")


class CorpusBleu(metric_types.Metric):
  """Corpus BLEU, cased, in sacreBLEU's default tokenization."""

  def __init__(self, name: str = "bleu", code: str = ""):
    """`code` is this module's fingerprint: an edited metric is computed again."""
    super().__init__(paired_metric(functools.partial(_SumCounts, bleu_counts, bleu)), name=name)


class CorpusChrf(metric_types.Metric):
  """Corpus chrF2 over up to 6 characters; spaces do not count."""

  def __init__(self, name: str = "chrf", code: str = ""):
    """`code` as for `CorpusBleu`."""
    super().__init__(paired_metric(functools.partial(_SumCounts, chrf_counts, chrf)), name=name)


class ExactMatchShare(metric_types.Metric):
  """The share of rows that equal the reference; kinds of spaces do not count."""

  def __init__(self, name: str = "exact_match", code: str = ""):
    """`code` as for `CorpusBleu`."""
    super().__init__(paired_metric(functools.partial(_SumCounts, _match_counts, _share)), name=name)


class _SumCounts(PairedCombiner):
  """Sums the counts of rows, for both models and each replicate, and scores the sums."""

  def __init__(self, count: Callable[[str, str], np.ndarray], score: Callable[[Any], float], *keys):
    """Takes what counts one row, what scores a sum of counts, and `PairedCombiner`'s keys."""
    super().__init__(*keys)
    self._count, self._score = count, score

  def read(self, label: Any, prediction: Any) -> Scored:
    right, said = _text(label), _text(prediction)
    return Scored(right, said, f"{right}\0{said}".encode("utf-8", "surrogatepass"))

  def create_accumulator(self) -> np.ndarray | None:
    return None

  def add_input(self, accumulator: np.ndarray | None, element: Any) -> np.ndarray:
    row, old = self.rows(element)
    weights = np.concatenate([[1], intervals.bootstrap_weights(row.content)])[:, np.newaxis]
    counts = self._count(row.prediction, row.label)
    before = np.zeros_like(counts) if old is None else self._count(old.prediction, old.label)
    counted = np.stack([weights * counts, weights * before])
    return counted if accumulator is None else accumulator + counted

  def extract_output(self, accumulator: np.ndarray | None) -> dict[Any, Any]:
    if accumulator is None:
      return self.output(float("nan"), intervals.NONE, intervals.NONE)
    scores = np.array([self._score(counts) for counts in accumulator[0]])
    change = intervals.NONE
    if accumulator[1].any():
      before = np.array([self._score(counts) for counts in accumulator[1, 1:]])
      change = intervals.percentiles(scores[1:] - before)
    return self.output(float(scores[0]), intervals.percentiles(scores[1:]), change)


def _text(value: Any) -> str:
  [text] = np.ravel(value).tolist()
  return _composed(text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text))


def _composed(text: str) -> str:
  # The graph composes its texts, too, so the encoding of a reference does not count as a fault.
  return unicodedata.normalize("NFC", text)
