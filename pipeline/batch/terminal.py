"""Shows the progress of a batch: a bar where a line can be redrawn, else a line every 5 seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rich import console as rich_console
from rich import progress as rich_progress

from dlpipe import words

_PLAIN_INTERVAL_S = 5.0


class BatchTerminal:
  """A listener for `pipeline.batch.run` that can be closed; events may come from any thread."""

  def __init__(
    self,
    stream: TextIO,
    *,
    can_redraw: bool,
    shards: int,
    clock: Callable[[], float] = time.monotonic,
  ):
    self._stream = stream
    self._clock = clock
    self._started = clock()
    self._said = self._started
    self._shards, self._shards_done = shards, 0
    self._rows = self._errors = 0
    self._bar: rich_progress.Progress | None = None
    if can_redraw:
      self._bar = rich_progress.Progress(
        rich_progress.SpinnerColumn("line"),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("{task.description}", markup=False),
        console=rich_console.Console(file=stream, force_terminal=True),
        refresh_per_second=5,
        # Otherwise Rich would capture other prints, which belong to the log.
        redirect_stdout=False,
        redirect_stderr=False,
      )
      self._task = self._bar.add_task("starting", total=shards or 1)
      self._bar.start()

  def __call__(self, fields: Mapping[str, Any]) -> None:
    self._rows += fields["rows"]
    self._errors += fields["errors"]
    self._shards_done += fields["shards"]
    if self._bar is not None:
      self._bar.update(self._task, completed=self._shards_done, description=self._words())
    elif self._clock() - self._said >= _PLAIN_INTERVAL_S:
      self._said = self._clock()
      self._stream.write(f"{words.duration(self._said - self._started):>7}  {self._words()}\n")
      self._stream.flush()

  def close(self) -> None:
    """Stops drawing and shows the cursor again; safe to call twice."""
    bar, self._bar = self._bar, None
    if bar is not None:
      bar.stop()

  def _words(self) -> str:
    seconds = max(self._clock() - self._started, 1e-3)
    words = f"{self._rows:,} rows, {self._rows / seconds:,.0f} a second"
    if self._errors:
      words += f", {self._errors:,} with an error"
    return words if self._shards < 2 else f"{words}, part {self._shards_done} of {self._shards}"
