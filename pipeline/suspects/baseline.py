"""`Baseline`: what a cheap model answers on eval, beside which a network shows what it is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import ClassVar

from dlpipe.artifact_files import ArtifactFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Measure:
  """How a measure is said: the network's value, the cheap model's, the constant's, and a gain."""

  network: str
  cheap: str
  constant: str
  shown: Callable[[float], str]
  unit: str
  factor: float


def _percent(value: float) -> str:
  return f"{value:.1%}"


# The measures, by the name in the file; each is the mean of a row's.
_MEASURES: Mapping[str, _Measure] = {
  "accuracy": _Measure(
    network="is right about {value}",
    cheap="a cheap model of {model}, trained on {rows} rows, about {value}",
    constant="always the commonest label, {value}",
    shown=_percent,
    unit="points",
    factor=100,
  ),
  "f1": _Measure(
    network="has an F1 of {value} a row",
    cheap="a cheap model of {model}, trained on {rows} rows, {value}",
    constant="always the labels that most rows have, {value}",
    shown="{:.3f}".format,
    unit="points",
    factor=100,
  ),
  "chrf": _Measure(
    network="has a chrF of {value} a row",
    cheap="{model}, {value}",
    constant="",
    shown=lambda value: f"{100 * value:.1f}",
    unit="points",
    factor=100,
  ),
  "error": _Measure(
    network="is off by {value}",
    cheap="a cheap model of {model}, trained on {rows} rows, by {value}",
    constant="always the median, by {value}",
    shown="{:.4g}".format,
    unit="% of the error of the median",
    factor=100,
  ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Baseline(ArtifactFile):
  """What a cheap model, a constant and the network are worth on the same rows of eval.

  Attributes:
    model: what the cheap model looks at, or does, in words.
    measure: `accuracy`, `f1`, `chrf` (each 0 to 1) or `error`, in the unit of the label.
    cheap: the measure of the cheap model; None in a file of an older release.
    network: of the network.
    constant: of the best constant answer; None if there is none.
    gain: by how much the network is better: of an error, as a part of the constant's.
    interval: the 95 % confidence interval of the gain, the rows being paired.
    train_rows: the rows that the cheap model has learnt from.
    eval_rows: the rows that both were asked about.
  """

  FILE: ClassVar[str] = "baseline.json"

  model: str
  train_rows: int
  eval_rows: int
  measure: str = "accuracy"
  cheap: float | None = None
  network: float | None = None
  constant: float | None = None
  gain: float | None = None
  interval: tuple[float, float] | None = None

  @property
  def sentence(self) -> str:
    """What the network is worth; empty for a file of an older release."""
    if self.cheap is None or self.network is None or self.gain is None:
      return ""
    said = _MEASURES[self.measure]
    parts = [
      f"On {self.eval_rows:,} rows of eval the network "
      + said.network.format(value=said.shown(self.network)),
      said.cheap.format(
        model=self.model, rows=f"{self.train_rows:,}", value=said.shown(self.cheap)
      ),
    ]
    if self.constant is not None:
      parts.append(said.constant.format(value=said.shown(self.constant)))
    worth = f"{said.factor * self.gain:+.1f}"
    if self.interval is not None:
      low, high = (f"{said.factor * bound:+.1f}" for bound in self.interval)
      worth += f" ({low} to {high})"
    return f"{'; '.join(parts)}. The network is worth {worth} {said.unit}."
