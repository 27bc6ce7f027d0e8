"""Both terminals: plain text by itself, the live one in a real pseudo-terminal."""

import fcntl
import io
import os
import pathlib
import pty
import re
import select
import struct
import sys
import termios

import pytest

from dlpipe import nodes
from pipeline.execution import events, terminal
from pipeline.runs import result as results

_ROOT = pathlib.Path(__file__).parents[5]
_NAMES = ("SourceExampleGen", "StatisticsGen", "Trainer", "Pusher")


class _Clock:
  def __init__(self):
    self.now = 100.0

  def __call__(self):
    return self.now


def _result(**changes):
  values = {
    "run_id": "r1",
    "task": "images",
    "state": results.PUSHED,
    "pushed_version": 3,
    "serving_dir": "/srv/images/serving",
    "metrics": {"accuracy": 0.9},
    "gates": [],
    "components": [],
    "examples": {},
    "report": None,
  }
  return results.RunResult(**{**values, **changes})


@pytest.fixture
def plain():
  stream, clock = io.StringIO(), _Clock()
  listener = terminal.PlainTerminal(stream, clock=clock)
  listener(events.RunStarted("r1", "images", _NAMES, "run.log"))
  return stream, clock, listener


def _said(stream):
  return stream.getvalue().splitlines()


def test_plain_says_each_change_of_state(plain):
  stream, clock, listener = plain
  listener(events.ComponentFinished("StatisticsGen", nodes.CACHED, 0.0, 0.0))
  listener(events.ComponentStarted("Trainer"))
  clock.now += 72
  listener(events.ComponentFinished("Trainer", nodes.COMPLETE, 72.0, 1430.0))
  for name in ("Evaluator", "Pusher"):
    listener(events.ComponentFinished(name, nodes.SKIPPED, 0.0, 0.0))
  listener(events.ComponentStarted("Last"))
  assert _said(stream) == [
    "images: run r1, 4 components, log run.log",
    "   0.0s  StatisticsGen  cached",
    "   0.0s  Trainer  started",
    " 1m 12s  Trainer  complete after 1m 12s, peak 1.4 GB",
    " 1m 12s  skipped  Evaluator, Pusher",
    " 1m 12s  Last  started",
  ]


def test_plain_says_progress_every_five_seconds_and_the_last_of_it(plain):
  stream, clock, listener = plain
  listener(events.ComponentStarted("SourceExampleGen"))
  for records in range(1000, 13000, 1000):
    clock.now += 1
    listener(events.Progress("SourceExampleGen", f"{records:,} records read", {"records": records}))
  listener(events.ComponentFinished("SourceExampleGen", nodes.COMPLETE, 12.0, 0.0))
  assert [line.split("  ")[-1] for line in _said(stream)[2:]] == [
    "5,000 records read",
    "10,000 records read",
    "12,000 records read",
    "complete after 12s",
  ]


def test_plain_says_every_epoch_and_holds_back_steps(plain):
  stream, clock, listener = plain
  listener(events.ComponentStarted("Trainer"))
  for epoch in (1, 2):
    clock.now += 0.1
    listener(events.Progress("Trainer", f"epoch {epoch}/2 step 5", {"epoch": epoch, "step": 5}))
    listener(events.Progress("Trainer", f"epoch {epoch}/2", {"epoch": epoch, "epochs": 2}))
  assert [line.split("  ")[-1] for line in _said(stream)[2:]] == ["epoch 1/2", "epoch 2/2"]


def test_plain_says_the_first_line_of_a_failure_and_the_error_at_the_end(plain):
  stream, _, listener = plain
  listener(events.ComponentStarted("Trainer"))
  error = "ValueError: [bold]no[/bold]\nsecond line"
  listener(events.ComponentFinished("Trainer", nodes.FAILED, 2.0, 0.0, error))
  listener(
    events.RunFinished(_result(state=results.FAILED, pushed_version=None, error="Trainer failed."))
  )
  said = _said(stream)
  assert said[2] == "   0.0s  Trainer  failed after 2.0s: ValueError: [bold]no[/bold]"
  assert "Trainer failed." in said
  assert "Log         run.log" in said
  assert "second line" not in stream.getvalue()


def test_make_terminal_chooses_by_what_the_stream_can_do():
  assert isinstance(terminal.make_terminal(io.StringIO(), can_redraw=True), terminal.LiveTerminal)
  assert isinstance(terminal.make_terminal(io.StringIO(), can_redraw=False), terminal.PlainTerminal)


@pytest.mark.parametrize(
  ("width", "shown"),
  [
    (
      90,
      "tune epoch 3/10  accuracy 0.870  loss 0.412  val_accuracy 0.873  val_loss 0.500  2m left",
    ),
    (75, "tune epoch 3/10  accuracy 0.870 val 0.873  loss 0.412 val 0.500  2m left"),
    (52, "tune epoch 3/10  loss 0.412 val 0.500  2m left"),
    (46, "tune epoch 3/10  loss 0.412 val 0.500  2m left"),
    (45, "tune 3/10  loss 0.412 val 0.500  2m left"),
    # Of 60 columns, component and clock take 27.
    (33, "tune 3/10  2m left"),
    (34, "tune 3/10  val_loss 0.500  2m left"),
  ],
)
def test_a_narrow_line_keeps_both_losses_and_the_time_left(width, shown):
  message = (
    "tune epoch 3/10  accuracy 0.870  loss 0.412  val_accuracy 0.873  val_loss 0.500  2m left"
  )
  assert terminal._shortened(message, width) == shown


_PLAY = """
import sys, time
from pipeline.execution import terminal
from pipeline.execution import events as e
from pipeline.runs import result as r
t = terminal.make_terminal(sys.stdout, can_redraw=sys.stdout.isatty())
names = [f"Component{i}" for i in range(int(sys.argv[1]))]
t(e.RunStarted("r1", "images", (*names, "StatisticsGen", "Trainer", "Pusher"), "run.log"))
for name in names:
  t(e.ComponentStarted(name))
  t(e.ComponentFinished(name, "COMPLETE", 0.4, 512.0))
t(e.ComponentFinished("StatisticsGen", "CACHED", 0.0, 0.0))
t(e.ComponentStarted("Trainer"))
t(e.Progress("Trainer", "epoch 3/10  loss 0.412  val_accuracy 0.873", {"epoch": 3}))
time.sleep(0.6)
if len(sys.argv) > 2:
  t.close()
  sys.exit()
t(e.Progress("Trainer", "wrote [batch] of " + "x" * 200, {}))
t(e.ComponentFinished("Trainer", "COMPLETE", 133.4, 1430.0))
t(e.ComponentFinished("Pusher", "FAILED", 1.0, 0.0, "disk full\\nmore"))
t(e.RunFinished(r.RunResult(run_id="r1", task="images", state="pushed", pushed_version=3,
  serving_dir="/srv/images/serving", metrics={"accuracy": 0.9}, gates=[], components=[],
  examples={}, report=None)))
t.close()
"""


def _on_a_terminal(*args, columns=80, rows=24, encoding="utf-8"):
  """What the play above writes to a pseudo-terminal, and what a screen shows in the end."""
  parent, child = pty.openpty()
  fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
  environment = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(_ROOT),
    "TERM": "xterm-256color",
    "PYTHONIOENCODING": encoding,
  }
  actions = [(os.POSIX_SPAWN_DUP2, child, fd) for fd in (0, 1, 2)]
  command = [sys.executable, "-c", _PLAY, *args]
  pid = os.posix_spawn(sys.executable, command, environment, file_actions=actions)
  os.close(child)
  written = b""
  while select.select([parent], [], [], 30)[0]:
    try:
      chunk = os.read(parent, 65536)
    except OSError:
      break
    if not chunk:
      break
    written += chunk
  os.close(parent)
  assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, written.decode(encoding)
  text = written.decode(encoding)
  return text, _screen(text)


def _screen(text):
  """The few control sequences that the drawing uses, carried out."""
  lines, row = [""], 0
  for token in re.findall(r"\x1b\[\??\d*(?:;\d+)*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
    if token == "\n":
      row += 1
      lines += [""] * (row + 1 - len(lines))
    elif token.endswith("A") and token.startswith("\x1b"):
      row -= int(token[2:-1] or 1)
    elif token.endswith("K") and token.startswith("\x1b"):
      lines[row] = ""
    elif not token.startswith("\x1b") and token != "\r":
      lines[row] += token
  return [line.rstrip() for line in lines]


def test_live_shows_the_running_epoch_then_leaves_readable_text():
  text, screen = _on_a_terminal("1")
  assert "epoch 3/10  loss 0.412  val_accuracy 0.873" in text
  assert screen[0] == "images  run r1"
  assert screen[1] == "✓ Component0       0.4s  peak 512 MB"
  assert screen[2] == "= StatisticsGen          cached"
  assert screen[3].startswith("✓ Trainer        2m 13s  wrote [batch] of xxx")
  assert screen[3].endswith("x…")
  assert screen[4] == "✗ Pusher           1.0s  disk full"
  assert screen[5] == ""
  assert screen[6].startswith("Pushed as version 3 (")
  assert screen[7:] == [
    "Metrics     accuracy 0.9",
    "Model       /srv/images/serving/3",
    "Log         run.log",
    "",
    "Next: dlpipe predict images FILE",
    "",
  ]
  assert max(map(len, screen)) == 80
  assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def test_live_keeps_the_running_component_in_sight_on_a_low_screen():
  text, screen = _on_a_terminal("30", rows=10)
  while_running = text[: text.index("epoch 3/10")]
  drawing = while_running[while_running.rfind("\x1b[2K") + 1 :]
  assert "Component29" in drawing
  assert "Component0 " not in drawing
  assert drawing.count("\n") < 10
  assert [line.split()[1] for line in screen[1:4]] == ["Component0", "Component1", "Component2"]


def test_live_writes_ascii_where_the_terminal_knows_no_more():
  text, screen = _on_a_terminal("1", encoding="ascii")
  assert text.isascii()
  assert screen[1].startswith("+ Component0")
  assert screen[4].startswith("x Pusher")


def test_closing_in_the_middle_gives_the_cursor_back():
  text, screen = _on_a_terminal("1", "close")
  assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
  assert screen[4].startswith("· Pusher")


def test_eighty_columns_hold_both_losses_and_the_time_left():
  name_and_clock = len("⠋ SourceExampleGen") + len(" 12m 05s  ")
  message = (
    "readers epoch 10/12  step 120/188  accuracy 0.912  loss 0.235  val_loss 0.361  12m left"
  )
  shown = terminal._shortened(message, 80 - name_and_clock)
  assert shown == "readers epoch 10/12  loss 0.235 val 0.361  12m left"
  assert len(shown) + name_and_clock <= 80
