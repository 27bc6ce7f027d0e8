"""`dlpipe run` runs the whole pipeline on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from dlpipe.ending import end_now
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.nodes import check_node
from dlpipe.progress import can_redraw
from pipeline.api.carrying_out import carry_out, new_run_id
from pipeline.api.inputs import Inputs, prepare
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import run_options
from pipeline.execution.events import Event, Listener
from pipeline.execution.options import Examine, RunOptions
from pipeline.execution.output import RealStreams

_WIDTH = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Afterword:
  """A command's additions to the output of a run.

  Attributes:
    lines: text for a person.
    fields: fields for `--json`.
    failed: whether to exit with code 1 although the run succeeded.
  """

  lines: Sequence[str] = ()
  fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  failed: bool = False


@click.command(short_help="Run the whole pipeline on this machine.")
@run_options
@click.option(
  "--from", "from_node", metavar="NODE", help="Start there; take the rest from an earlier run."
)
@click.option("--until", "until_node", metavar="NODE", help="Stop after this node.")
@click.option("--no-cache", is_flag=True, help="Run every node, whatever the cache holds.")
@click.option(
  "--retries",
  type=click.IntRange(min=0),
  default=0,
  metavar="N",
  help="Try a node that fails N times again, unless its message says what to do. Default: 0.",
)
@click.option(
  "--processes", is_flag=True, help="Each node in a process of its own, several at a time."
)
@click.option(
  "--watch", is_flag=True, help="Show the run on a page of this machine while it lasts."
)
@click.option(
  "--memory-mb",
  type=click.IntRange(min=1),
  metavar="MB",
  help="With --processes: what they may hold together. Default: what is free.",
)
def run(
  as_json: bool,
  from_node: str | None,
  until_node: str | None,
  no_cache: bool,
  retries: int,
  processes: bool,
  memory_mb: int | None,
  watch: bool,
  **options: Any,
) -> None:
  """Run TASK's pipeline: read, validate, transform, train, evaluate, prove, push.

  What has not changed since the last run is taken from the cache. A model is pushed only if every
  gate lets it through; the reasons stand at the end and in the report.

  \b
  Examples:
    dlpipe run images
    dlpipe run images --data my_pictures/ --set train.epochs=20
    dlpipe run images --data my_pictures/ --set model.backbone=MobileNetV2 \\
        --set model.weights=imagenet
    dlpipe run images --from Evaluator --set gates.accuracy=0.97
  """
  if memory_mb is not None and not processes:
    raise click.UsageError("--memory-mb holds for --processes, which is not given.")
  inputs = prepare(**options, tells=True)
  for option, name in (("--from", from_node), ("--until", until_node)):
    check_node(option, name, trials=inputs.config.tune.most_trials)
  execute(
    inputs,
    as_json=as_json,
    train_and_push=True,
    watch=watch,
    how=RunOptions(
      from_node=from_node,
      until_node=until_node,
      use_cache=not no_cache,
      retries=retries,
      processes=processes,
      memory_mb=memory_mb,
    ),
  )


def execute(
  inputs: Inputs,
  *,
  as_json: bool,
  train_and_push: bool,
  how: RunOptions | None = None,
  watch: bool = False,
  afterwards: Callable[[str], Afterword] | None = None,
  examine: Examine | None = None,
) -> None:
  """Executes a prepared run, shows its progress, and exits with its code.

  Args:
    inputs: the prepared run.
    as_json: whether the last line of stdout is the result as JSON.
    train_and_push: False runs only the nodes that read and check the data.
    how: which nodes to run, and how; None for all, one by one.
    watch: whether to serve a page that shows the run while it lasts.
    afterwards: receives the run's id and returns additions to the output.
    examine: receives the run's id and returns findings about its data, for screen and report.
  """
  from pipeline.execution.live.server import LivePage
  from pipeline.execution.terminal import make_terminal

  run_id = new_run_id()
  afterword = Afterword()

  @contextlib.contextmanager
  def show(streams: RealStreams) -> Iterator[Listener]:
    nonlocal afterword
    screen = streams.stderr if as_json else streams.stdout
    screen.writelines(f"{line}\n" for said in inputs.recognized for line in _wrapped(said))
    screen.write("Loading TensorFlow and TFX, which takes some seconds ...\n")
    screen.flush()
    with contextlib.ExitStack() as opened:
      listeners: list[Listener] = []
      if watch:
        page = opened.enter_context(contextlib.closing(LivePage()))
        streams.stderr.write(f"Watch it at {page.address}\n")
        streams.stderr.flush()
        listeners.append(page.watched)
      terminal = make_terminal(screen, can_redraw=can_redraw(screen))
      listeners.append(opened.enter_context(contextlib.closing(terminal)))

      def tell(event: Event) -> None:
        for listener in listeners:
          listener(event)

      yield tell
    if afterwards is not None:
      afterword = afterwards(run_id)
    screen.writelines(f"{line}\n" for line in afterword.lines)

  try:
    result = carry_out(
      inputs,
      run_id=run_id,
      show=show,
      train_and_push=train_and_push,
      how=how or RunOptions(),
      examine=examine,
    )
  except DlpipeError as err:
    _tell_failure(err, inputs, run_id, as_json=as_json)
    raise
  if as_json:
    echo_json({**result.to_json(), **afterword.fields})
  sys.stdout.flush()
  end_now(result.exit_code or int(afterword.failed))


def _tell_failure(err: DlpipeError, inputs: Inputs, run_id: str, *, as_json: bool) -> None:
  """Prints the JSON object of a run that ended without a result; prints none for bad input."""
  if not as_json or err.exit_code == BadInputError.exit_code:
    return
  from pipeline.announcing.announce import failed

  echo_json(failed(inputs.config, run_id, err).to_json())


def _wrapped(sentence: str) -> list[str]:
  return textwrap.wrap(
    sentence, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
  )
