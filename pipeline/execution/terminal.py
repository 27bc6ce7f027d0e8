"""Shows a run to a person: live lines on a terminal, plain lines in a log or a pipe.

Both are listeners for `pipeline.execution.events`; a runner's caller hands one over and closes it.
Events may come from any thread. Imports neither TensorFlow nor TFX.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TextIO

from rich import console as rich_console
from rich import live as rich_live
from rich.text import Text

from dlpipe import nodes, words
from pipeline.execution import events
from pipeline.execution.events import Event
from pipeline.runs import summary

_PLAIN_INTERVAL_S = 5.0
_PLAIN_WIDTH = 100
_WAITING, RUNNING = "WAITING", "RUNNING"
_SYMBOLS = {
  nodes.COMPLETE: ("✓", "+", "green"),
  nodes.CACHED: ("=", "=", "cyan"),
  nodes.FAILED: ("✗", "x", "bold red"),
  nodes.SKIPPED: ("-", "-", "dim"),
  _WAITING: ("·", ".", "dim"),
}
_SPINNER = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
_STYLES = {summary.GOOD: "bold green", summary.BAD: "bold red", summary.FAINT: "dim"}


class Terminal(Protocol):
  """A listener that can be closed."""

  def __call__(self, event: Event) -> None: ...

  def close(self) -> None:
    """Leaves the stream as a shell expects it; safe to call twice."""


def make_terminal(stream: TextIO, *, can_redraw: bool) -> Terminal:
  """Returns the terminal for a stream: `LiveTerminal` if it `can_redraw`, else `PlainTerminal`."""
  return LiveTerminal(stream) if can_redraw else PlainTerminal(stream)


@dataclasses.dataclass
class Row:
  """A component: its state, when it started, and what was last heard of it."""

  id: str
  state: str = _WAITING
  started: float = 0.0
  seconds: float = 0.0
  peak_rss_mb: float = 0.0
  message: str = ""


class Board:
  """Where every component is; what terminals and the live page know."""

  def __init__(self, clock: Callable[[], float]):
    self.clock = clock
    self.started = clock()
    self.run: events.RunStarted | None = None
    self.rows: dict[str, Row] = {}

  def apply(self, event: Event) -> None:
    """Takes in an event."""
    if isinstance(event, events.RunStarted):
      self.run, self.started = event, self.clock()
      self.rows = {name: Row(name) for name in event.components}
    elif isinstance(event, events.ComponentStarted):
      row = self.row(event.id)
      row.state, row.started = RUNNING, self.clock()
    elif isinstance(event, events.Progress):
      self.row(event.component).message = words.one_line(event.message)
    elif isinstance(event, events.ComponentFinished):
      row = self.row(event.id)
      row.state, row.seconds, row.peak_rss_mb = event.state, event.seconds, event.peak_rss_mb
      if event.error:
        row.message = words.one_line(event.error.strip().split("\n")[0])

  def row(self, name: str) -> Row:
    """Returns the row of a component, a new one for a name that the run did not tell."""
    return self.rows.setdefault(name, Row(name))

  def summary(self, event: events.RunFinished, width: int) -> list[summary.Line]:
    """Returns the lines that end a run."""
    return summary.summary_lines(
      event.result,
      log_file=self.run.log_file if self.run else "",
      seconds=self.clock() - self.started,
      width=width,
    )


class PlainTerminal:
  """One line for each change of state; progress at most every five seconds, epochs always.

  Nodes in a row that do not run have one line together.
  """

  def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic):
    self._stream = stream
    self._board = Board(clock)
    self._lock = threading.Lock()
    self._last_progress: dict[str, float] = {}
    self._unsaid: dict[str, str] = {}
    self._skipped: list[str] = []

  def __call__(self, event: Event) -> None:
    with self._lock:
      self._board.apply(event)
      if isinstance(event, events.ComponentFinished) and event.state == nodes.SKIPPED:
        self._skipped.append(event.id)
        return
      self._tell_skipped()
      if isinstance(event, events.RunStarted):
        count = len(event.components)
        self._print(f"{event.task}: run {event.run_id}, {count} components, log {event.log_file}")
      elif isinstance(event, events.ComponentStarted):
        self._last_progress[event.id] = self._board.clock()
        self._say(event.id, "started")
      elif isinstance(event, events.Progress):
        self._progress(event)
      elif isinstance(event, events.ComponentFinished):
        self._finished(event)
      else:
        self._print("")
        for line in self._board.summary(event, _PLAIN_WIDTH):
          self._print(line.text)

  def close(self) -> None:
    """Flushes; plain lines leave nothing to restore."""
    self._stream.flush()

  def _tell_skipped(self) -> None:
    """Writes one line for nodes in a row that did not run."""
    names, self._skipped = self._skipped, []
    if names:
      self._say("skipped", ", ".join(names))

  def _progress(self, event: events.Progress) -> None:
    message, now = self._board.row(event.component).message, self._board.clock()
    ends_epoch = "epoch" in event.fields and not {"step", "batch"} & set(event.fields)
    due = now - self._last_progress.get(event.component, -_PLAIN_INTERVAL_S) >= _PLAIN_INTERVAL_S
    if ends_epoch or due:
      self._last_progress[event.component] = now
      self._unsaid.pop(event.component, None)
      self._say(event.component, message)
    else:
      self._unsaid[event.component] = message

  def _finished(self, event: events.ComponentFinished) -> None:
    unsaid = self._unsaid.pop(event.id, None)
    if unsaid and event.state == nodes.COMPLETE:
      self._say(event.id, unsaid)
    said = event.state.lower()
    if event.state in (nodes.COMPLETE, nodes.FAILED):
      said += f" after {words.duration(event.seconds)}"
      said += f", peak {words.memory(event.peak_rss_mb)}" if event.peak_rss_mb else ""
    if event.error:
      said += f": {self._board.row(event.id).message}"
    self._say(event.id, said)

  def _say(self, name: str, said: str) -> None:
    elapsed = words.duration(self._board.clock() - self._board.started)
    self._print(f"{elapsed:>7}  {name}  {said}")

  def _print(self, text: str) -> None:
    self._stream.write(text + "\n")
    self._stream.flush()


class LiveTerminal:
  """A line for each component, redrawn in place; the last drawing stays as text."""

  def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic):
    self._board = Board(clock)
    self._lock = threading.RLock()
    self._fancy = _can_encode(stream, _SPINNER[0] + "✓✗·…")
    self._console = rich_console.Console(
      file=stream, force_terminal=True, markup=False, highlight=False, emoji=False
    )
    self._live: rich_live.Live | None = None

  def __call__(self, event: Event) -> None:
    with self._lock:
      self._board.apply(event)
    if isinstance(event, events.RunStarted):
      self._console.print(Text(f"{event.task}  run {event.run_id}", style="bold"))
      # Rich would otherwise catch what is printed during the run, which belongs to the log.
      self._live = rich_live.Live(
        get_renderable=self._render,
        console=self._console,
        refresh_per_second=5,
        redirect_stdout=False,
        redirect_stderr=False,
      )
      self._live.start()
    elif isinstance(event, events.RunFinished):
      self.close()
      self._console.print()
      for line in self._board.summary(event, min(self._console.width, _PLAIN_WIDTH)):
        self._console.print(Text(line.text, style=_STYLES.get(line.tone, "")), soft_wrap=True)

  def close(self) -> None:
    """Ends the drawing and shows the cursor again; the lines stay."""
    live, self._live = self._live, None
    if live is not None:
      live.stop()

  def _render(self) -> Text:
    with self._lock:
      rows = list(self._board.rows.values())
      lines = [self._line(row) for row in rows]
      if self._live is not None:
        lines = self._window(rows, lines)
      return Text("\n").join(lines)

  def _window(self, rows: list[Row], lines: list[Text]) -> list[Text]:
    """Returns as many lines as the screen holds, the first running component among them."""
    space = max(self._console.height - 2, 3)
    if len(lines) <= space:
      return lines
    running = next((i for i, row in enumerate(rows) if row.state == RUNNING), 0)
    first = min(max(running - space // 2, 0), len(lines) - space)
    return lines[first : first + space]

  def _line(self, row: Row) -> Text:
    width = min(self._console.width, 120)
    name_width = min(max((len(name) for name in self._board.rows), default=0), 24)
    if row.state == RUNNING:
      frames = _SPINNER[0] if self._fancy else _SPINNER[1]
      symbol, style = frames[int(self._board.clock() * 5) % len(frames)], "yellow"
      seconds = self._board.clock() - row.started
    else:
      fancy, ascii_symbol, style = _SYMBOLS[row.state]
      symbol, seconds = (fancy if self._fancy else ascii_symbol), row.seconds
    timed = row.state in (RUNNING, nodes.COMPLETE, nodes.FAILED)
    line = Text(no_wrap=True, overflow="ellipsis" if self._fancy else "crop")
    line.append(f"{symbol} ", style=style)
    line.append(_fit(row.id, name_width), style="" if row.state != _WAITING else "dim")
    line.append(f" {words.duration(seconds) if timed else '':>7}  ", style="dim")
    detail = _shortened(self._detail(row), width - line.cell_len)
    line.append(detail, style="red" if row.state == nodes.FAILED else "")
    line.truncate(width, overflow="ellipsis" if self._fancy else "crop")
    return line

  def _detail(self, row: Row) -> str:
    if row.state in (nodes.CACHED, nodes.SKIPPED):
      return row.message or row.state.lower()
    if row.state == nodes.COMPLETE and row.peak_rss_mb and not row.message:
      return f"peak {words.memory(row.peak_rss_mb)}"
    return row.message


def _fit(text: str, width: int) -> str:
  return text.ljust(width) if len(text) <= width else text[: width - 1] + "~"


def _shortened(message: str, width: int) -> str:
  """Leaves out facts, two spaces apart, until the message fits.

  A metric of training and of validation become one fact. Both losses and the time left stay as
  long as there is room for them; the time left stays longest.
  """
  parts = message.split("  ")
  if len(message) <= width or not any(part.startswith(("loss ", "val_loss ")) for part in parts):
    return message
  parts = _paired(parts)
  order = [part for part in parts[1:] if part.startswith("step ")]
  order += [
    part
    for part in reversed(parts[1:])
    if not part.startswith(("loss ", "val_loss ", "step ")) and not part.endswith(" left")
  ]
  for part in order:
    if _fits(parts, width):
      break
    parts.remove(part)
  parts[0] = parts[0] if _fits(parts, width) else parts[0].replace(" epoch ", " ", 1)
  for place, part in enumerate(parts):
    if part.startswith("loss ") and " val " in part and not _fits(parts, width):
      parts[place] = f"val_loss {part.partition(' val ')[2]}"
  if not _fits(parts, width) and parts[-1].endswith(" left"):
    parts = [parts[0], parts[-1]]
  return "  ".join(parts)


def _fits(parts: Sequence[str], width: int) -> bool:
  return len("  ".join(parts)) <= width


def _paired(parts: list[str]) -> list[str]:
  """Makes one part of a metric and its `val_` twin: `loss 0.412 val 0.500`."""
  named = {part.split(" ")[0]: part for part in parts}
  found = []
  for name, part in named.items():
    twin = named.get(f"val_{name}")
    if twin is not None:
      found.append(f"{part} val {twin.split(' ')[1]}")
    elif not (name.startswith("val_") and name.removeprefix("val_") in named):
      found.append(part)
  return found


def _can_encode(stream: Any, text: str) -> bool:
  try:
    text.encode(getattr(stream, "encoding", None) or "ascii")
  except (UnicodeEncodeError, LookupError):
    return False
  return True
