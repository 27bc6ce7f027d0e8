"""`dlpipe.run` and `dlpipe.check`: the pipeline on this machine, called from Python."""

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
from pipeline.api import carrying_out, history
from pipeline.api.inputs import Inputs
from pipeline.api.run import Run
from pipeline.api.values import Path, prepared
from pipeline.execution.events import Event, Listener
from pipeline.execution.options import RunOptions
from pipeline.execution.output import RealStreams
from pipeline.runs.result import FAILED, RunResult
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

  What has not changed since the last run is taken from the cache. A model is pushed only if every
  gate lets it through; where one does not, the run that comes back says so. Only what cannot work,
  and a run that fails, is an error.

  >>> run = dlpipe.run("images", tiny=True, train={"epochs": 1}, until_node="Transform")
  >>> run.state, run.version
  ('done', None)
  >>> dlpipe.run("images", train={"epoch": 1})
  Traceback (most recent call last):
  dlpipe.errors.BadInputError: ... Did you mean train.epochs? ...

  Args:
    task: its name, or the task.
    data: the input, a file or a folder; None takes the task's shipped sample.
    workspace: where the run writes; None takes $DLPIPE_WORKSPACE, else ./workspace.
    config: a YAML file of settings.
    settings: full names to values, such as {"data.text_column": "review"}; they and `sections` win
      over the file.
    tiny: a small model for a run in seconds.
    beam: where Beam runs: "direct", "flink" or "spark"; None is for what the settings say.
    mlmd: a metadata store's connection file; None takes SQLite in the workspace.
    from_node: the first node to run; what lies before it is taken from an earlier run.
    until_node: the last node to run.
    cache: whether a result of an earlier run may stand in for a node.
    retries: how often a node is tried again that fails for no reason that you can mend.
    progress: True prints what happens; a function is called with each of `dlpipe.events`, which may
      come from any thread. The rest of what a run says goes to its log.
    **sections: settings by section, as in train={"epochs": 3} or model={"dropout": 0.2}; what
      `dlpipe settings TASK` lists. `data` is the input: its settings go into `settings`.

  Returns:
    What became of it: pushed, cached, refused_data or refused_model; done, where `until_node` came
    before the push.

  Raises:
    BadInputError: an argument or the input cannot be used. Nothing was started, or nothing that is
      not said.
    BusyError: another run is at work in the same workspace.
    DlpipeError: the run failed; the message names its log.
    KeyboardInterrupt: the run was interrupted. The same call goes on from there.
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
  )
  for name, node in (("from_node", from_node), ("until_node", until_node)):
    check_node(name, node, trials=inputs.config.tune.trials)
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
  progress: Progress = False,
  **sections: Mapping[str, Any],
) -> Run:
  """Reads a task's data and holds it against the schema and the data gate; trains nothing.

  Says, too, how the data is balanced, what is repeated, nearly repeated, labelled in two ways or in
  two splits at once: those are the run's `warnings`, and its report shows them.

  >>> run = dlpipe.check("images", tiny=True)
  >>> run.state, sorted(run.examples)
  ('done', ['eval', 'quarantined', 'train', 'val'])

  Args:
    task: its name, or the task.
    data: the input, a file or a folder; None takes the task's shipped sample.
    workspace: where the run writes; None takes $DLPIPE_WORKSPACE, else ./workspace.
    config: a YAML file of settings.
    settings: full names to values, such as {"data.text_column": "review"}.
    tiny: as for `run`; a later run with the same data takes what it can from the cache.
    beam: where Beam runs: "direct", "flink" or "spark"; None is for what the settings say.
    mlmd: a metadata store's connection file; None takes SQLite in the workspace.
    progress: as for `run`.
    **sections: settings by section, as for `run`.

  Returns:
    What became of it: done, or refused_data.

  Raises:
    BadInputError: an argument or the input cannot be used.
    BusyError: another run is at work in the same workspace.
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
  examine = functools.partial(carrying_out.examine, inputs)
  return _carried_out(inputs, progress, train_and_push=False, examine=examine)


def _carried_out(
  inputs: Inputs,
  progress: Progress,
  *,
  train_and_push: bool,
  how: RunOptions | None = None,
  examine: carrying_out.Examine | None = None,
) -> Run:
  if not isinstance(progress, bool) and not callable(progress):
    raise BadInputError(f"progress takes True, False or a function. Received: {progress!r}")
  # TensorFlow reads this once. A later `predict` in this process has no log: warnings, such as of
  # an input that the graph refuses, would stand among the answers.
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
  """The listener of a run that a person watches, a program, or nobody."""
  _keep_scripts_out()
  if not isinstance(progress, bool):
    yield progress
  elif not progress:
    yield lambda event: None
  else:
    from pipeline.execution.terminal import make_terminal

    screen = streams.stdout
    screen.writelines(f"{said}\n" for said in inputs.recognized)
    with contextlib.closing(make_terminal(screen, is_tty=screen.isatty())) as terminal:
      yield terminal


def _keep_scripts_out() -> None:
  """Has Beam make what it needs in a notebook while nothing is displayed.

  When it first meets a notebook, it puts scripts into the page that load others from the internet.
  """
  ipython = sys.modules.get("IPython")
  if ipython is None or ipython.get_ipython() is None:
    return
  from apache_beam.runners.interactive import interactive_environment
  from IPython.utils.capture import capture_output

  with capture_output(stdout=False, stderr=False, display=True):
    interactive_environment.current_env()


class _Nothing:
  """What Beam keeps instead."""


def _let_go() -> None:
  """Frees the model that was evaluated last: Beam keeps what is shared until it shares another.

  At the interpreter's end, TensorFlow could no longer take it apart, and would print tracebacks.
  """
  shared = sys.modules.get("apache_beam.utils.shared")
  if shared is not None:
    shared.Shared().acquire(_Nothing)
    gc.collect()


def _failure(result: RunResult, log: pathlib.Path) -> DlpipeError:
  """The error of a run that failed."""
  kind = BadInputError if result.bad_input else BusyError if result.busy else DlpipeError
  return kind(f"{result.error}\nThe log is {log}")
