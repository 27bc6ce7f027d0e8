"""Compiles the model of a phase, with the task's optimizer or the phase's schedule.

The arguments that a task gives in `compile_args`, or passes to `compile` itself, are kept. If Keras
would silently drop one, training reports it or refuses to start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.task import Phase
from pipeline.training.faults.gradients import watch_gradients
from pipeline.training.logs import flat
from pipeline.training.machines.adam import FusedAdam

_RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def schedule_of(phase: Phase, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
  """Returns the learning rate of a phase over its steps: a rise, if any, then a cosine to 0."""
  rising = int(phase.warmup * steps)
  if not rising:
    return keras.optimizers.schedules.CosineDecay(phase.learning_rate, decay_steps=steps)
  return keras.optimizers.schedules.CosineDecay(
    0.0,
    decay_steps=steps - rising,
    warmup_target=phase.learning_rate,
    warmup_steps=rising,
  )


def compile_phase(
  model: keras.Model,
  arguments: Mapping[str, Any],
  *,
  schedule: keras.optimizers.schedules.LearningRateSchedule,
  of: str = "",
) -> None:
  """Compiles a model; uses the phase's schedule unless the task gives a finished optimizer.

  Args:
    model: not compiled yet, or compiled by an earlier phase.
    arguments: of `compile`. `optimizer` defaults to Adam; a class or a function is called with the
      schedule; an optimizer, or its name, keeps its own learning rate.
    schedule: the phase's learning rate.
    of: prefix of every progress line.
  """
  rest = dict(arguments)
  optimizer = rest.pop("optimizer", FusedAdam)
  if callable(optimizer) and not isinstance(optimizer, keras.Optimizer):
    optimizer = optimizer(schedule)
  else:
    optimizer = keras.optimizers.get(optimizer)
    progress.report(
      f"{of}trained by the task's own {type(optimizer).__name__} at its own rate: the phase's rate "
      "and schedule are not used",
      epoch=0,
    )
  # `xla.decide` sets `jit_compile` later: it needs the data.
  model.compile(optimizer, **rest, jit_compile=False)


def require_no_other(
  model: keras.Model, phases: Sequence[Phase], arguments: Mapping[str, Any]
) -> None:
  """Checks that a model which `build_model` compiled can be trained without another `compile`.

  Raises:
    BadInputError: training would have to compile it again, and lose the task's arguments.
  """
  reasons = []
  if len(phases) > 1:
    reasons.append(f"training has {len(phases)} phases, each compiled anew")
  if any(phase.frozen for phase in phases):
    reasons.append("the phase freezes layers")
  if any(phase.output for phase in phases):
    reasons.append("the phase ends at a layer")
  if arguments:
    reasons.append(f"compile_args gives {', '.join(sorted(arguments))} besides")
  if reasons:
    raise BadInputError(
      f"build_model returned a model that is compiled, but {' and '.join(reasons)}. What it was "
      "compiled with would be lost: leave compile() out of build_model, and return its arguments "
      "from compile_args."
    )


def require_obeyed(
  model: keras.Model, callbacks: Sequence[keras.callbacks.Callback], monitor: str
) -> None:
  """Checks that training does what a task's callbacks ask for; reports what it does otherwise.

  Args:
    model: compiled.
    callbacks: the task's.
    monitor: the metric that picks the best epoch.

  Raises:
    BadInputError: a callback sets the learning rate, and a schedule does so, too.
  """
  rate = getattr(model.optimizer, "_learning_rate", None)
  for each in callbacks:
    name = type(each).__name__
    if isinstance(each, _RATE_SETTERS) and isinstance(
      rate, keras.optimizers.schedules.LearningRateSchedule
    ):
      raise BadInputError(
        f"The task's callbacks have {name}, which sets the learning rate, but a schedule sets it "
        "as well. Give an optimizer with a rate of its own in compile_args, such as "
        f"'optimizer': keras.optimizers.Adam(0.001), or leave {name} out."
      )
    if getattr(each, "restore_best_weights", False) and each.monitor != monitor:
      progress.report(
        f"the weights of the best epoch by {monitor} are kept, and not those that {name} restores, "
        f"by {each.monitor}",
        epoch=0,
      )


def rate_of(model: keras.Model) -> float:
  """Returns the learning rate of the optimizer that trains a model.

  One that has its own `compile` may leave Keras' default in `optimizer` and use others; then it is
  the first of these by name.
  """
  used = [each for each in optimizers_of(model) if each.iterations.numpy()]
  is_used = not used or any(each is model.optimizer for each in used)
  return float((model.optimizer if is_used else used[0]).learning_rate)


def optimizers_of(model: keras.Model) -> list[keras.Optimizer]:
  """Returns the model's optimizers; a model with its own training step may have several."""
  named = {n: v for n, v in vars(model).items() if isinstance(v, keras.Optimizer)}
  return [named[name] for name in sorted(named)]


class Optimizers:
  """All optimizers of a model as one; the state includes the loss scale of mixed precision."""

  def __init__(self, model: keras.Model):
    """Reads the optimizers of a compiled model."""
    self._model = model

  @property
  def variables(self) -> list[keras.Variable]:
    """The current variables; an optimizer that has not run yet may have none."""
    return [variable for each in optimizers_of(self._model) for variable in each.variables]


def labelled(model: keras.Model) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
  """Returns a function that repeats the label for every output of a model with several losses.

  Args:
    model: compiled; its loss is one, or a dictionary or a list of such.
  """
  loss = getattr(model, "loss", None)
  if isinstance(loss, Mapping):
    names = list(loss)
    return lambda data: data.map(lambda x, y: (x, dict.fromkeys(names, y)))
  if isinstance(loss, (list, tuple)):
    count = len(loss)
    return lambda data: data.map(lambda x, y: (x, (y,) * count))
  return lambda data: data


@contextlib.contextmanager
def watched(model: keras.Model) -> Iterator[None]:
  """Flattens the logs of the model's steps in the block, and checks what optimizers apply.

  Keras flattens nested logs for its own training steps only. Weights without a gradient are
  reported.

  Raises:
    BadInputError: no weight has a gradient; or in mixed precision, the training step does not scale
      its loss, and the optimizer would divide the gradients by a scale that was never applied.
  """
  steps = ("train_step", "test_step")
  optimizers = optimizers_of(model)
  scaled = [o for o in optimizers if isinstance(o, keras.optimizers.LossScaleOptimizer)]
  for name in steps:
    setattr(model, name, _with_flat_logs(getattr(model, name), name))
  for optimizer in optimizers:
    watch_gradients(optimizer)
  for optimizer in scaled:
    _require_scaled_loss(optimizer)
  try:
    yield
  finally:
    for name in steps:
      delattr(model, name)
    for optimizer in optimizers:
      del optimizer.apply
    for optimizer in scaled:
      del optimizer.scale_loss


def _with_flat_logs(step: Callable[[Any], Any], name: str) -> Callable[[Any], dict[str, Any]]:
  def flat_step(data: Any) -> dict[str, Any]:
    return flat(step(data), name)

  return flat_step


def _require_scaled_loss(optimizer: keras.optimizers.LossScaleOptimizer) -> None:
  scale_loss, apply = optimizer.scale_loss, optimizer.apply
  is_scaled = False

  def scale(loss: Any) -> Any:
    nonlocal is_scaled
    is_scaled = True
    return scale_loss(loss)

  def apply_scaled(*args: Any, **kwargs: Any) -> Any:
    # Runs when the step is traced.
    if not is_scaled:
      raise BadInputError(
        "In mixed precision a training step of one's own must scale its loss before it asks for "
        "gradients: loss = self.optimizer.scale_loss(loss). Received: a train_step that applies "
        "the gradients of a loss as it is. Or train without: --set train.mixed_precision=false."
      )
    return apply(*args, **kwargs)

  optimizer.scale_loss, optimizer.apply = scale, apply_scaled
