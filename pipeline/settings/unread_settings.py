"""Refuses settings that a run would not read, before it reads any data.

Otherwise the run would silently ignore them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import pydantic

from dlpipe.errors import BadInputError
from dlpipe.records import EVAL, VAL
from pipeline.params import Role
from pipeline.settings import patience
from pipeline.settings.config import PipelineConfig
from pipeline.settings.data_config import DataConfig
from pipeline.settings.orchestrators import ORCHESTRATORS, section_of
from pipeline.settings.train_config import TrainConfig
from pipeline.task import Task

_JOB_SERVERS = ("flink", "spark")
# The section that the end of a run reads.
_OF_THE_END = "keep"


def said(task: Task, config: PipelineConfig) -> frozenset[str]:
  """Returns the full names of the settings that the user set, even to their defaults.

  A null sets nothing. `config` must come from `make_config`: a configuration that was read back
  from a file sets every name.
  """
  found = {f"data.{name}" for name, value in config.data.options.items() if value is not None}
  found |= {task.params.full_name(name) for name in config.said}
  for section in type(config).model_fields:
    values = getattr(config, section)
    if isinstance(values, pydantic.BaseModel):
      found |= {
        f"{section}.{name}"
        for name in values.model_fields_set
        if (section, name) != ("data", "options") and getattr(values, name) is not None
      }
  return frozenset(found)


def require_read(task: Task, config: PipelineConfig) -> None:
  """Refuses settings that the chosen model, Beam runner or orchestrator does not read.

  Raises:
    BadInputError: the user set one; the message has a line with advice for each.
  """
  names = said(task, config)
  unread = {task.params.full_name(n): what for n, what in _of_model(task, config).items()}
  unread |= dict(_shared(task, config))
  unread |= _of_telling(config)
  if refused := sorted(names & set(unread)):
    raise BadInputError("\n".join(f"{name} {unread[name]}." for name in refused))
  if faults := _faults_of_telling(config):
    raise BadInputError("\n".join(f"{name} {fault}." for name, fault in faults.items()))


def require_read_by_layout(task: Task, names: AbstractSet[str], *, layout: str, path: str) -> None:
  """Refuses data options that the layout of the input does not read.

  Args:
    task: the run's task.
    names: the settings that the user set, from `said`.
    layout: name of the source that reads the input.
    path: the input.

  Raises:
    BadInputError: the user set one; the message names it and the layouts that read it.
  """
  reads = task.sources[layout].options
  for option in task.data_options.model_fields:
    name = f"data.{option}"
    if name not in names or reads is None or option in (*reads, *task.input.bounds):
      continue
    others = [n for n, s in task.sources.items() if s.options is None or option in s.options]
    way = f", or name the layout with --set data.source={others[0]}" if others else ""
    raise BadInputError(
      f"{name} is for {' or '.join(others) or 'no layout'}, and {path!r} is read as {layout}. "
      f"Leave it out{way}"
    )


def require_spans(names: AbstractSet[str], *, path: str) -> None:
  """Refuses a setting for spans, if the data has none.

  Args:
    names: the settings that the user set, from `said`.
    path: the input.

  Raises:
    BadInputError: the user set such a setting; the message names it.
  """
  unread = sorted(names & {f"data.{name}" for name in DataConfig.of_spans})
  if unread:
    raise BadInputError(
      f"{unread[0]} is for data in spans, and {path!r} has no placeholder. Leave it out, or write "
      "what differs between the spans as {date} or {span}, as in --data 'inbox/{date}/'."
    )


def require_drawn(names: AbstractSet[str], *, given_splits: Sequence[str], path: str) -> None:
  """Refuses a fraction for a split that the input contains already, so that it is not drawn.

  Args:
    names: the settings that the user set, from `said`.
    given_splits: the splits that the input contains.
    path: the input.

  Raises:
    BadInputError: the user set such a fraction; the message names it.
  """
  for split, name in ((VAL, "data.val_fraction"), (EVAL, "data.eval_fraction")):
    if name in names and split in given_splits:
      raise BadInputError(
        f"{name} is for splits that are drawn, and {path!r} has a split {split} of its own. Leave "
        "it out, or take that split out of the input."
      )


def require_read_by_command(settings: Sequence[str], *, orchestrator: str | None) -> None:
  """Refuses an orchestrator's settings in `--set`, or a local run's, if the command ignores them.

  A file of `--config` may hold them, because several commands share it.

  Args:
    settings: `section.name=value` items of `--set`.
    orchestrator: the orchestrator to compile for; None for a run on this machine.

  Raises:
    BadInputError: there is such a setting; the message names the command that reads it.
  """
  for setting in settings:
    key = setting.partition("=")[0].strip()
    section = key.partition(".")[0]
    if section in ORCHESTRATORS and section != orchestrator:
      raise BadInputError(
        f"--set {key}: dlpipe compile TASK --for {section} alone reads it. Leave it out; a file of "
        "--config may hold it."
      )
    if section == _OF_THE_END and not _can_finish(orchestrator):
      raise BadInputError(
        f"--set {key}: no run of {orchestrator} cleans after itself. Leave it out, and run dlpipe "
        "clean TASK on a schedule; a file of --config may hold it."
      )


def _of_telling(config: PipelineConfig) -> dict[str, str]:
  return {
    f"{section}.{name}": what
    for section in ("notify", "tracking")
    for name, what in getattr(config, section).unread().items()
  }


def _faults_of_telling(config: PipelineConfig) -> dict[str, str]:
  return {
    f"{section}.{name}": fault
    for section in ("notify", "tracking")
    for name, fault in getattr(config, section).faults().items()
  }


def _can_finish(orchestrator: str | None) -> bool:
  return orchestrator not in ORCHESTRATORS or section_of(orchestrator).can_finish


def _of_model(task: Task, config: PipelineConfig) -> Mapping[str, str]:
  """Returns the settings that the chosen model does not read, each with advice."""
  unread = dict(config.params(task).unread())
  lifted = set(task.params.names_with(Role.EPOCHS)) - config.said - set(unread)
  if config.model.get("min_steps") and not lifted:
    unread["min_steps"] = (
      "lifts only epochs that are not set, and all that count here are. Leave it out"
    )
  return unread


def _shared(task: Task, config: PipelineConfig) -> Iterator[tuple[str, str]]:
  """Yields shared settings that have no effect given the others, each with advice."""
  beam = config.beam
  yield from task.problem.unread.items()
  without = "is for tasks with classes, and this one has none. Leave it out"
  if not task.problem.has_one_class:
    several = "is for rows of one class each, and these may have several labels. Leave it out"
    yield "train.class_weights", several if task.problem.has_classes else without
  if not task.problem.baseline:
    yield "gates.beats_baseline", "is for answers that a cheap model gives, too. Leave it out"
  if not task.problem.calibration:
    yield "train.calibrate", without
  if not config.train.warm_start:
    yield "train.cold_every", "is for warm starts. Set train.warm_start=true, or leave it out"
  if not task.problem.certainty or task.problem.serving_outputs:
    for name in ("train.coverage", "gates.max_coverage_gap"):
      yield name, "is for classes, labels and numbers, and this task has none. Leave it out"
  if not task.problem.certainty or not task.problem.has_classes:
    yield "train.accepted_accuracy", without
  if not config.tune.most_trials:
    for name in ("tune.epochs", "tune.early_stopping"):
      yield name, "is for trials, and there are none. Set tune.trials to 1 or more"
  if config.push.stage == "live":
    yield (
      "push.max_flips",
      "is for candidates, and push.stage is live. Set push.stage=candidate, or leave it out",
    )
  if beam.runner not in _JOB_SERVERS:
    yield (
      "beam.job_server",
      f"is for {' and '.join(_JOB_SERVERS)}, and beam.runner is {beam.runner}. Leave it out",
    )
  for name in ORCHESTRATORS:
    unread = config.section(section_of(name)).unread()
    yield from ((f"{name}.{setting}", what) for setting, what in unread.items())
  epochs = _fixed_epochs(task, config)
  told, usual = config.train.patience, TrainConfig().patience
  if epochs and not any(patience.can_end(each, epochs) for each in (told, usual)):
    quarter = epochs - patience.counts_from(epochs)
    what = f"it counts in the last quarter of a schedule, and that is {quarter} of {epochs} epochs"
    way = "Set it below that, train more epochs, or leave it out"
    yield "train.patience", f"changes nothing here: {what}. {way}"


def _fixed_epochs(task: Task, config: PipelineConfig) -> int | None:
  """Returns the epochs of the longest phase; None if the size of the data decides."""
  params = config.params(task)
  values, unread = params.as_json(), params.unread()
  lifted = set(params.names_with(Role.EPOCHS)) - config.said - set(unread)
  if values.get("min_steps") and lifted:
    return None
  epochs = [
    value
    for name, value in values.items()
    if (name == "epochs" or name.endswith("_epochs")) and name not in unread
  ]
  return max(epochs, default=None)
