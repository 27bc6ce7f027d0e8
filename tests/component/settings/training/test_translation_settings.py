"""What every setting of `model` and `decode` does to how translation is learnt and written."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from pipeline.tasks.translation.attentive import AttentiveGRU
from pipeline.tasks.translation.blocks import Block
from pipeline.tasks.translation.params import TranslationParams
from pipeline.text.subwords import SPECIALS, UNKNOWN
from pipeline.training import compiling

TASKS = ("translation",)
SECTIONS = ("model", "decode")
# One small model, for its graph takes long to build.
_SMALL = ("model.embedding=8", "model.encoder_units=6", "model.decoder_units=10")
# Trainings and transforms are dear; these do not depend on each other.
_TOGETHER = (
  *(*_SMALL, "model.layers=2", "model.dropout=0.35", "model.source_pieces=90"),
  *("model.target_pieces=80", "model.max_pieces=5"),
  *("decode.beam_width=3", "decode.length_penalty=0.25"),
  *("decode.n_best=2", "decode.coverage_penalty=0.5"),
)
_TRANSFORMER = (
  *("model.architecture=transformer", "model.embedding=12", "model.heads=3"),
  *("model.inner_units=7", "model.layers=2"),
)
_QUIET = (*_SMALL, "model.dropout=0", "model.unknown_rate=0", "model.cut_rate=0")
_QUIET = (*_QUIET, "model.clip_norm=1000")


def _check_pieces(desk) -> None:
  prepared = desk.prepared(*_TOGETHER)
  sizes = [
    len(prepared.output.vocabulary_by_name(f"{side}_pieces")) for side in ("source", "target")
  ]
  usual = [
    len(desk.prepared().output.vocabulary_by_name(f"{side}_pieces"))
    for side in ("source", "target")
  ]
  assert sizes[0] <= 90 < usual[0]
  assert sizes[1] <= 80 < usual[1]
  assert sizes[0] > 80


def _check_max_pieces(desk) -> None:
  values = desk.prepared(*_TOGETHER).values
  assert (desk.prepared().values["source_ids"] != 0).sum(axis=1).max() > 5
  assert (values["source_ids"] != 0).sum(axis=1).max() == 5
  assert desk.seen(*_TOGETHER).model.decoding.max_pieces == 5


def _check_sizes(desk) -> None:
  seen = desk.seen(*_TOGETHER)
  assert {each.output_dim for each in seen.layers(keras.layers.Embedding)} == {8}
  units = sorted(each.units for each in seen.layers(keras.layers.GRU))
  assert units == [6, 6, 6, 6, 10]  # two directions of two layers, and the second of the decoder
  assert [each.units for each in seen.layers(AttentiveGRU)] == [10]


def _check_transformer(desk) -> None:
  seen = desk.seen(*_TRANSFORMER)
  blocks = seen.layers(Block)
  assert len(blocks) == 4
  assert {each.attention._heads for each in blocks} == {3}
  inner = [each.units for each in seen.layers(keras.layers.Dense) if each.units == 7]
  assert len(inner) == len(blocks)
  assert not seen.layers(AttentiveGRU)
  for setting in ("model.encoder_units=6", "model.decoder_units=10"):
    with pytest.raises(BadInputError, match=f"^{setting.split('=')[0]} is the recurrent's"):
      desk.run(desk.task, *_TRANSFORMER, setting)
  with pytest.raises(BadInputError, match=r"^model\.heads is the transformer's"):
    desk.run(desk.task, "model.heads=2")
  with pytest.raises(BadInputError, match=r"model\.heads must divide model\.embedding"):
    desk.run(desk.task, *_TRANSFORMER, "model.embedding=13")


def _check_shared_pieces(desk) -> None:
  shared = ("model.shared_pieces=true", "model.source_pieces=95")
  prepared = desk.prepared(*_SMALL, *shared)
  pieces = prepared.output.vocabulary_by_name("source_pieces")
  assert len(pieces) <= 95
  seen = desk.seen(*_SMALL, *shared)
  model = seen.model
  assert model.source_pieces == model.target_pieces
  assert len(set(map(id, seen.layers(keras.layers.Embedding)))) == 1
  assert len(model.source_pieces) == len(pieces) + SPECIALS
  assert {"target_ids", "source_ids"} <= set(prepared.values)
  assert prepared.values["target_ids"].max() < len(model.source_pieces)
  with pytest.raises(BadInputError, match=r"^model\.target_pieces is for two vocabularies"):
    desk.run(desk.task, *shared, "model.target_pieces=90")


def _check_cut_rate(desk) -> None:
  source = tf.constant(desk.prepared().values["source_ids"])
  sizes = {}
  for rate in (0, 1):
    model = desk.seen(*_SMALL, f"model.cut_rate={rate}").model
    sizes[rate] = int((model.prepare(source, source)[0].numpy() != 0).sum())
  assert sizes[0] < sizes[1]


def _check_warmup(desk) -> None:
  rates = [
    [float(schedule(step)) for step in (0, 1)]
    for schedule in (
      compiling.schedule_of(load_function(desk.run(desk.task).task.training_plan)(params)[0], 40)
      for params in (TranslationParams(warmup=0), TranslationParams(warmup=0.5))
    )
  ]
  assert rates[0][0] > rates[0][1] > 0
  assert rates[1][0] < rates[1][1]


def _check_n_best(desk) -> None:
  _check_decoding("n_best", 2)(desk)
  with pytest.raises(BadInputError, match=r"decode\.n_best must be at most decode\.beam_width"):
    desk.run(desk.task, "decode.n_best=5")


def _check_translation_dropout(desk) -> None:
  [dropout] = desk.seen(*_TOGETHER).layers(keras.layers.Dropout)
  assert dropout.rate == 0.35
  others = desk.seen(*_TRANSFORMER).layers(keras.layers.Dropout)
  assert {each.rate for each in others} == {0.1}


def _step(model: keras.Model, prepared) -> np.ndarray:
  """How far one step of plain gradient descent, at a rate of 1, moves the weights."""
  before = model.get_weights()
  model.compile(keras.optimizers.SGD(1.0))
  model.optimizer.build(model.trainable_variables)
  data = tuple(tf.constant(prepared.values[f"{side}_ids"][:4]) for side in ("source", "target"))
  model.train_step(data)
  return np.concatenate([np.ravel(b - a) for a, b in zip(before, model.get_weights(), strict=True)])


def _check_clip_norm(desk) -> None:
  steps = [
    _step(desk.seen(*_SMALL, f"model.clip_norm={norm}").model, desk.prepared())
    for norm in (0.01, 0.02)
  ]
  np.testing.assert_allclose([np.linalg.norm(step) for step in steps], [0.01, 0.02], rtol=1e-3)


def _check_label_smoothing(desk) -> None:
  first, smooth = (
    _step(desk.seen(*_QUIET, f"model.label_smoothing={part}", anew=True).model, desk.prepared())
    for part in (0, 0.5)
  )
  assert np.abs(first - smooth).max() > 1e-3


def _check_unknown_rate(desk) -> None:
  values = desk.prepared().values
  hidden = {}
  for rate in (0, 1):
    model = desk.seen(*_SMALL, f"model.unknown_rate={rate}").model
    source, _ = model.prepare(*(tf.constant(values[f"{s}_ids"]) for s in ("source", "target")))
    hidden[rate] = int((source.numpy() == UNKNOWN).sum())
  assert hidden[0] < hidden[1]


def _check_decoding(name: str, value: float) -> Callable[..., None]:
  def check(desk) -> None:
    decoding = desk.seen(*_TOGETHER).model.decoding
    assert getattr(decoding, name) == value

  return check


_CHECKS = {
  "source_pieces": _check_pieces,
  "target_pieces": _check_pieces,
  "max_pieces": _check_max_pieces,
  "embedding": _check_sizes,
  "encoder_units": _check_sizes,
  "decoder_units": _check_sizes,
  "architecture": _check_transformer,
  "heads": _check_transformer,
  "inner_units": _check_transformer,
  "layers": _check_sizes,
  "shared_pieces": _check_shared_pieces,
  "cut_rate": _check_cut_rate,
  "warmup": _check_warmup,
  "n_best": _check_n_best,
  "coverage_penalty": _check_decoding("coverage_penalty", 0.5),
  "dropout": _check_translation_dropout,
  "label_smoothing": _check_label_smoothing,
  "clip_norm": _check_clip_norm,
  "unknown_rate": _check_unknown_rate,
  "beam_width": _check_decoding("beam_width", 3),
  "length_penalty": _check_decoding("length_penalty", 0.25),
}


def test_it_changes_what_is_built_or_how_it_is_trained(setting, desk):
  if setting.name == "min_steps":
    desk.check_min_steps()
  else:
    _CHECKS[setting.name](desk)
