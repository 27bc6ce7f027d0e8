"""What every setting of `model` does to the model of sentiment and to how it is trained."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from dlpipe.errors import BadInputError
from pipeline.tasks import get_task
from pipeline.tasks.sentiment.features import WORDS
from pipeline.tasks.sentiment.layers import Excerpt
from pipeline.text.word_counts import read_counts

TASKS = ("sentiment",)
SECTIONS = ("model",)
# Trainings and transforms are dear; these do not depend on each other.
_TOGETHER = (
  *("model.units=5", "model.word_units=9", "model.word_dropout=0.45", "model.dropout=0.35"),
  *("model.pair_buckets=77", "model.triple_buckets=55", "model.reader_words=7"),
)
_TRANSFORM = ("model.max_words=6", "model.vocabulary_size=30", "model.part_buckets=64")


def _vocabulary(prepared) -> list[str]:
  words, _ = read_counts(prepared.output, WORDS)
  return [word.decode() for word in words]


def _check_max_words(desk) -> None:
  usual = desk.prepared().values["word_ids"]
  cut = desk.prepared(*_TRANSFORM).values["word_ids"]
  assert (usual != 0).sum(axis=1).max() > 6
  assert (cut != 0).sum(axis=1).max() == 6


def _check_vocabulary_size(desk) -> None:
  assert len(_vocabulary(desk.prepared(*_TRANSFORM))) == 30


def _check_min_frequency(desk) -> None:
  once = _vocabulary(desk.prepared("model.min_frequency=1"))
  assert set(_vocabulary(desk.prepared())) < set(once)


def _table_rows(seen, layer: str) -> list[int]:
  return [weight.shape[0] for weight in seen.model.get_layer(layer).weights]


def _check_part_buckets(desk) -> None:
  seen = desk.seen(*_TRANSFORM)
  assert 65 in _table_rows(seen, "reader1_words")
  assert desk.prepared(*_TRANSFORM).values["start_ids"].max() <= 64


def _check_buckets(desk) -> None:
  few, usual = (_table_rows(desk.seen(*each), "bag")[0] for each in (_TOGETHER, ()))
  tiny = get_task("sentiment").params.tiny()
  assert usual - few == tiny.pair_buckets - 77 + tiny.triple_buckets - 55


def _bag_weights(seen) -> np.ndarray:
  return seen.model.get_layer("bag").get_weights()[0]


def _check_bag_start(desk) -> None:
  much = "model.bag_shrinkage=1000000"
  nothing, half, whole = (
    _bag_weights(desk.seen(much, f"model.bag_start={part}")) for part in (0, 0.5, 1)
  )
  assert np.abs(nothing).max() < 0.01 < np.abs(half).max()
  np.testing.assert_allclose(2 * half, whole, atol=0.01)


def _check_bag_shrinkage(desk) -> None:
  little, much = (_bag_weights(desk.seen(f"model.bag_shrinkage={each}")) for each in (0.01, 100))
  assert np.abs(much).sum() < np.abs(little).sum()


def _readers(seen) -> list[str]:
  names = {layer.name.split("_")[0] for layer in seen.model.layers}
  return sorted(name for name in names if name.startswith("reader"))


def _check_readers(desk) -> None:
  two, none = desk.seen("model.readers=2"), desk.seen("model.readers=0")
  assert (_readers(two), _readers(none)) == (["reader1", "reader2"], [])
  assert (len(two.fits), len(none.fits)) == (2, 1)
  theirs = [
    *("model.cell=gru", "model.units=4", "model.word_units=4", "model.word_dropout=0.1"),
    *("model.dropout=0.1", "train.epochs=2", "train.learning_rate=0.1", "model.embeddings=x"),
  ]
  for setting in theirs:
    with pytest.raises(BadInputError, match=f"^{setting.split('=')[0]} is the readers', and there"):
      desk.run(desk.task, "model.readers=0", setting)


def _check_reader_words(desk) -> None:
  [excerpt] = desk.seen(*_TOGETHER).layers(Excerpt)
  lengths = np.array([9], "int32")
  assert excerpt(np.arange(1, 10, dtype="int32")[np.newaxis], lengths).shape == (1, 7)


def _check_cell(desk) -> None:
  assert len(desk.seen().layers(keras.layers.GRU)) == 2
  assert len(desk.seen("model.cell=lstm").layers(keras.layers.LSTM)) == 2


def _check_units(desk) -> None:
  assert [each.units for each in desk.seen(*_TOGETHER).layers(keras.layers.GRU)] == [5, 5]


def _word_units(seen) -> set[int]:
  return {weight.shape[1] for weight in seen.model.get_layer("reader1_words").weights}


def _check_word_units(desk) -> None:
  assert _word_units(desk.seen(*_TOGETHER)) == {9}
  assert _word_units(desk.seen()) == {64}


def _check_embeddings(desk) -> None:
  words = _vocabulary(desk.prepared())[:5]
  path = desk.folder / "vectors.txt"
  path.write_text("".join(f"{word} 1.5 -2 0.25\n" for word in words), encoding="utf-8")
  seen = desk.seen(f"model.embeddings={path}")
  assert _word_units(seen) == {3}
  tables = seen.model.get_layer("reader1_words").get_weights()
  assert sum((table == [1.5, -2, 0.25]).all(axis=1).sum() for table in tables) == 5
  with pytest.raises(BadInputError, match=r"model\.word_units=9 does not fit the vectors of"):
    desk.run(desk.task, f"model.embeddings={path}", "model.word_units=9")


def _check_word_dropout(desk) -> None:
  [dropout] = desk.seen(*_TOGETHER).layers(keras.layers.SpatialDropout1D)
  assert dropout.rate == 0.45


def _check_reader_dropout(desk) -> None:
  rates = [
    each.rate
    for each in desk.seen(*_TOGETHER).layers(keras.layers.Dropout)
    if not isinstance(each, keras.layers.SpatialDropout1D)
  ]
  assert rates == [0.35]


_CHECKS = {
  "max_words": _check_max_words,
  "vocabulary_size": _check_vocabulary_size,
  "min_frequency": _check_min_frequency,
  "part_buckets": _check_part_buckets,
  "pair_buckets": _check_buckets,
  "triple_buckets": _check_buckets,
  "bag_start": _check_bag_start,
  "bag_shrinkage": _check_bag_shrinkage,
  "readers": _check_readers,
  "reader_words": _check_reader_words,
  "cell": _check_cell,
  "units": _check_units,
  "word_units": _check_word_units,
  "embeddings": _check_embeddings,
  "word_dropout": _check_word_dropout,
  "dropout": _check_reader_dropout,
}


def test_it_changes_what_is_built_or_how_it_is_trained(setting, desk):
  if setting.name == "min_steps":
    desk.check_min_steps()
  else:
    _CHECKS[setting.name](desk)
