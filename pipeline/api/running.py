"""`dlpipe.run` and `dlpipe.check` run the pipeline on this machine, from Python."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dlpipe.errors import BadInputError, BusyError, DlpipeError
from dlpipe.nodes import check_node
from dlpipe.progress import can_redraw
from pipeline.api import carrying_out, history
from pipeline.api.inputs import Inputs
from pipeline.api.run import Run
from pipeline.api.values import Path, prepared
from pipeline.execution.events import Event, Listener
from pipeline.execution.options import Examine, RunOptions
from pipeline.execution.output import RealStreams
from pipeline.runs.result import FAILED, RunResult
from pipeline.suspects.supported import require_classes
from pipeline.task import Task

Progress = bool | Callable[[Event], None]


def run(
  task: str | Task,
  *,
  data: Path | None = None,
  workspace: Path | None = None,
  config: Path | None = None,
  settings: Mapping[str, Any] | None = None,
  tiny: bool = False,
  beam: str | None = None,
  mlmd: Path | None = None,
  from_node: str | None = None,
  until_node: str | None = None,
  cache: bool = True,
  retries: int = 0,
  progress: Progress = False,
  **sections: Mapping[str, Any],
) -> Run:
  """Runs a task's pipeline: reads, validates, transforms, trains, evaluates, proves and pushes.

  Nodes whose inputs have not changed since an earlier run are taken from the cache. A model is
  pushed only if it passes every gate; otherwise the returned run says which gate refused it. Only
  arguments that cannot work, and a run that fails, raise an error.

  >>> run = dlpipe.run("images", tiny=True, train={"epochs": 1}, until_node="Transform")
  >>> run.state, run.version
  ('done', None)
  >>> dlpipe.run("images", train={"epoch": 1})
  Traceback (most recent call last):
  dlpipe.errors.BadInputError: ... Did you mean train.epochs? ...

  Args:
    task: the task, or its name.
    data: the input, a file or a folder; None takes the task's shipped sample.
    workspace: folder that the run writes to; None takes $DLPIPE_WORKSPACE, else ./workspace.
    config: a YAML file of settings.
    settings: values by full name, such as {"data.text_column": "review"}; they and `sections`
      override the file.
    tiny: whether to train a small model, for a run in seconds.
    beam: Beam's runner: "direct", "flink" or "spark"; None takes that of the settings.
    mlmd: a metadata store's connection file; None takes SQLite in the workspace.
    from_node: the first node to run; the nodes before it are taken from an earlier run.
    until_node: the last node to run.
    cache: whether nodes may reuse results of earlier runs.
    retries: how often to retry a node that fails for a reason other than bad input.
    progress: True prints progress; a function is called with each of `dlpipe.events`, from any
      thread. All other output of a run goes to its log.
    **sections: settings by section, as in train={"epochs": 3} or model={"dropout": 0.2};
      `dlpipe settings TASK` lists them. `data` is the input: its settings go into `settings`.

  Returns:
    The run; its `state` is pushed, cached, refused_data or refused_model, or done if `until_node`
    comes before the push.

  Raises:
    BadInputError: an argument or the input cannot be used.
    BusyError: another run is using the same workspace.
    DlpipeError: the run failed; the message names its log.
    KeyboardInterrupt: the run was interrupted. The same call continues it.
  """
  inputs = prepared(
    run,
    task,
    data=data,
    workspace=workspace,
    config=config,
    settings=settings,
    sections=sections,
    tiny=tiny,
    beam=beam,
    mlmd=mlmd,
    tells=True,
  )
  for name, node in (("from_node", from_node), ("until_node", until_node)):
    check_node(name, node, trials=inputs.config.tune.most_trials)
  if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
    raise BadInputError(f"retries takes a whole number of at least 0. Received: {retries!r}")
  how = RunOptions(from_node=from_node, until_node=until_node, use_cache=cache, retries=retries)
  return _carried_out(inputs, progress, train_and_push=True, how=how)


def check(
  task: str | Task,
  *,
  data: Path | None = None,
  workspace: Path | None = None,
  config: Path | None = None,
  settings: Mapping[str, Any] | None = None,
  tiny: bool = False,
  beam: str | None = None,
  mlmd: Path | None = None,
  labels: bool = False,
  progress: Progress = False,
  **sections: Mapping[str, Any],
) -> Run:
  """Reads a task's data and checks it against the schema and the data gate; trains nothing.

  It also looks for class imbalance, duplicates, near-duplicates, contradicting labels and leaks
  between splits: these are the run's `warnings`, and its report shows them.

  >>> run = dlpipe.check("images", tiny=True)
  >>> run.state, sorted(run.examples)
  ('done', ['eval', 'quarantined', 'train', 'val'])

  Args:
    task: the task, or its name.
    data: the input, a file or a folder; None takes the task's shipped sample.
    workspace: folder that the run writes to; None takes $DLPIPE_WORKSPACE, else ./workspace.
    config: a YAML file of settings.
    settings: values by full name, such as {"data.text_column": "review"}.
    tiny: as for `run`; a later run with the same data reuses cached results.
    beam: Beam's runner: "direct", "flink" or "spark"; None takes that of the settings.
    mlmd: a metadata store's connection file; None takes SQLite in the workspace.
    labels: whether to look for labels that are likely wrong, too: a cheap model scores each row
      without having seen it.
    progress: as for `run`.
    **sections: settings by section, as for `run`.

  Returns:
    The run; its `state` is done or refused_data.

  Raises:
    BadInputError: an argument or the input cannot be used.
    BusyError: another run is using the same workspace.
    DlpipeError: the run failed; the message names its log.
  """
  inputs = prepared(
    check,
    task,
    data=data,
    workspace=workspace,
    config=config,
    settings=settings,
    sections=sections,
    tiny=tiny,
    beam=beam,
    mlmd=mlmd,
  )
  if labels:
    require_classes(inputs.task)
  examine = functools.partial(carrying_out.examine, inputs, labels=labels)
  return _carried_out(inputs, progress, train_and_push=False, examine=examine)


def _carried_out(
  inputs: Inputs,
  progress: Progress,
  *,
  train_and_push: bool,
  how: RunOptions | None = None,
  examine: Examine | None = None,
) -> Run:
  if not isinstance(progress, bool) and not callable(progress):
    raise BadInputError(f"progress takes True, False or a function. Received: {progress!r}")
  # TensorFlow reads this once. A later `predict` in this process has no log, so warnings, such as
  # about an input that the graph refuses, would appear among the answers.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  run_id = carrying_out.new_run_id()
  try:
    result = carrying_out.carry_out(
      inputs,
      run_id=run_id,
      show=functools.partial(_show, inputs, progress),
      train_and_push=train_and_push,
      how=how or RunOptions(),
      examine=examine,
    )
  finally:
    _let_go()
  if result.state == FAILED:
    raise _failure(result, carrying_out.log_file(inputs, run_id))
  return history.ended(inputs.config, result)


@contextlib.contextmanager
def _show(inputs: Inputs, progress: Progress, streams: RealStreams) -> Iterator[Listener]:
  """Yields the run's listener: a terminal if `progress` is True, a function, or none."""
  _keep_scripts_out()
  if not isinstance(progress, bool):
    yield progress
  elif not progress:
    yield lambda event: None
  else:
    from pipeline.execution.terminal import make_terminal

    screen = streams.stdout
    screen.writelines(f"{said}\n" for said in inputs.recognized)
    with contextlib.closing(make_terminal(screen, can_redraw=can_redraw(screen))) as terminal:
      yield terminal


def _keep_scripts_out() -> None:
  """Initialises Beam's notebook environment while display is captured.

  Otherwise Beam would add scripts to the page that load other scripts from the internet.
  """
  ipython = sys.modules.get("IPython")
  if ipython is None or ipython.get_ipython() is None:
    return
  from apache_beam.runners.interactive import interactive_environment
  from IPython.utils.capture import capture_output

  with capture_output(stdout=False, stderr=False, display=True):
    interactive_environment.current_env()


class _Nothing:
  """A placeholder for Beam to keep in place of a model."""


def _let_go() -> None:
  """Frees the last evaluated model: Beam keeps a shared object until it shares another one.

  If the model lived until the interpreter ends, TensorFlow would print tracebacks on its deletion.
  """
  shared = sys.modules.get("apache_beam.utils.shared")
  if shared is not None:
    shared.Shared().acquire(_Nothing)
    gc.collect()


def _failure(result: RunResult, log: pathlib.Path) -> DlpipeError:
  """Returns the error to raise for a failed run."""
  kind = BadInputError if result.bad_input else BusyError if result.busy else DlpipeError
  return kind(f"{result.error}\nThe log is {log}")
