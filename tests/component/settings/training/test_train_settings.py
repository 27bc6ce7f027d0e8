"""What every setting of `train` does to how each task is trained.

The phase that `train.epochs` and `train.learning_rate` are of comes last.
"""

from __future__ import annotations

import pytest

from dlpipe.errors import BadInputError
from pipeline.tasks import get_task
from pipeline.training.class_weights import WeightedLoss
from pipeline.training.machines import precision

SECTIONS = ("train",)


# Trainings are dear; these do not depend on each other.
_TOGETHER = (
  *("train.epochs=16", "train.batch_size=25", "train.learning_rate=7e-3", "train.patience=2"),
)
_OTHERWISE = ("train.cache_mb=0", "train.mixed_precision=true")


_OF_CLASSES = (
  *("train.class_weights=auto", "train.calibrate=false"),
  *("train.coverage=0.8", "train.accepted_accuracy=0.97"),
)


def _timed(desk) -> tuple[str, ...]:
  has_classes = get_task(desk.task).problem.has_classes
  of_classes = _OF_CLASSES if has_classes else ()
  return ("train.minutes=60", *of_classes)


def _check_epochs(desk) -> None:
  assert desk.seen(*_TOGETHER).fits[-1].epochs == 16


def _check_batch_size(desk) -> None:
  assert desk.seen(*_TOGETHER).fits[-1].sizes == [10, 25, 25]


def _check_learning_rate(desk) -> None:
  assert desk.seen(*_TOGETHER).fits[-1].rate == pytest.approx(7e-3)


def _check_patience(desk) -> None:
  # It counts from the thirteenth epoch on.
  assert desk.seen(*_TOGETHER).fits[-1].ends_after == 14
  for epochs, patience in ((16, 12), (4, 2)):
    with pytest.raises(BadInputError, match=r"^train\.patience changes nothing here"):
      desk.run(desk.task, f"train.epochs={epochs}", f"train.patience={patience}", tiny=True)


def _check_seed(desk) -> None:
  asked = ("train.seed=5", "train.batch_size=10")
  first, again = (desk.seen(*asked, anew=True).fits for _ in range(2))
  other = desk.seen("train.seed=6", "train.batch_size=10").fits
  assert (first[0].weights, first[0].first) == (again[0].weights, again[0].first)
  assert first[-1].weights != other[-1].weights
  assert first[0].first != other[0].first


def _check_cache_mb(desk) -> None:
  assert desk.seen().in_memory
  assert not desk.seen(*_OTHERWISE).in_memory


def _check_mixed_precision(desk) -> None:
  pays = get_task(desk.task).params.usual().bfloat16_pays() and precision.has_bfloat16_units()
  assert desk.seen().fits[0].policy == ("mixed_bfloat16" if pays else "float32")
  assert desk.seen(*_OTHERWISE).fits[0].policy == "mixed_float16"


def _check_minutes(desk) -> None:
  """Of the clock itself, see test_time_limit.py."""
  usual, timed = desk.seen().fits, desk.seen(*_timed(desk)).fits
  # A phase before the last may only judge what `adapt` has fitted.
  assert timed[-1].epochs == 4 * usual[-1].epochs


def _check_class_weights(desk) -> None:
  if not get_task(desk.task).problem.has_one_class:
    with pytest.raises(BadInputError, match=r"^train\.class_weights is for tasks with classes,"):
      desk.run(desk.task, "train.class_weights=auto")
    return
  for wrong in ("{x: 0}", "{x: yes}", "{x: .inf}", "3", "some"):
    with pytest.raises(BadInputError, match=r"train\.class_weights"):
      desk.run(desk.task, f"train.class_weights={wrong}")
  with pytest.raises(
    BadInputError, match=r"^train\.class_weights weighs 'no such', which is no cla"
  ):
    desk.seen("train.class_weights={no such: 2}")
  for asked, is_weighted in ((_timed(desk), True), ((), False)):
    assert isinstance(desk.seen(*asked).model.loss, WeightedLoss) is is_weighted


def _check_calibrate(desk) -> None:
  assert desk.seen().calibrates
  if get_task(desk.task).problem.calibration:
    assert not desk.seen(*_timed(desk)).calibrates
  else:
    with pytest.raises(BadInputError, match=r"^train\.calibrate is for tasks with classes,"):
      desk.run(desk.task, "train.calibrate=false")


def _check_coverage(desk) -> None:
  """Of the sets themselves, see test_sets.py."""
  assert desk.seen().asks[0] is None
  if get_task(desk.task).problem.certainty:
    assert desk.seen(*_timed(desk)).asks[0] == 0.8
  else:
    with pytest.raises(BadInputError, match=r"^train\.coverage is for classes, labels"):
      desk.run(desk.task, "train.coverage=0.8")


def _check_accepted_accuracy(desk) -> None:
  assert desk.seen().asks[1] is None
  if get_task(desk.task).problem.has_classes:
    assert desk.seen(*_timed(desk)).asks[1] == 0.97
  else:
    with pytest.raises(BadInputError, match=r"^train\.accepted_accuracy is for tasks"):
      desk.run(desk.task, "train.accepted_accuracy=0.9")


def _check_jit_compile(desk) -> None:
  asked = "train.jit_compile=true"
  assert not desk.seen(*_TOGETHER).fits[0].compiled  # no GPU is seen here
  assert desk.seen(asked).fits[0].compiled


def _check_warm_start(desk) -> None:
  """Of what is carried over, see tests/unit/pipeline/training/warm."""
  told, trials = (
    desk.drawn(desk.run(desk.task, "train.warm_start=true", "tune.trials=2"))[node]["custom_config"]
    for node in ("Trainer", "Tuner")
  )
  assert (told["train"]["warm_start"], trials["train"]["warm_start"]) == (True, False)
  assert told["serving_dir"].endswith(f"{desk.task}/serving")
  assert "serving_dir" not in desk.drawn(desk.run(desk.task))["Trainer"]["custom_config"]


def _check_cold_every(desk) -> None:
  asked = ("train.warm_start=true", "train.cold_every=7")
  told = desk.drawn(desk.run(desk.task, *asked))["Trainer"]["custom_config"]
  assert told["train"]["cold_every"] == 7
  with pytest.raises(BadInputError, match=r"^train\.cold_every is for warm starts\."):
    desk.run(desk.task, "train.cold_every=7")


_CHECKS = {
  "warm_start": _check_warm_start,
  "cold_every": _check_cold_every,
  "epochs": _check_epochs,
  "batch_size": _check_batch_size,
  "learning_rate": _check_learning_rate,
  "patience": _check_patience,
  "seed": _check_seed,
  "cache_mb": _check_cache_mb,
  "mixed_precision": _check_mixed_precision,
  "jit_compile": _check_jit_compile,
  "minutes": _check_minutes,
  "class_weights": _check_class_weights,
  "calibrate": _check_calibrate,
  "coverage": _check_coverage,
  "accepted_accuracy": _check_accepted_accuracy,
}


def test_it_changes_how_a_task_is_trained(task_name, setting, desk):
  _CHECKS[setting.name](desk)
