"""What a person sees of a batch."""

import io

from pipeline.batch.terminal import BatchTerminal


class _Clock:
  def __init__(self):
    self.now = 0.0

  def __call__(self):
    return self.now


def test_plain_lines_come_every_five_seconds():
  stream, clock = io.StringIO(), _Clock()
  terminal = BatchTerminal(stream, can_redraw=False, shards=3, clock=clock)
  for second in range(1, 11):
    clock.now = float(second)
    terminal({"rows": 1000, "errors": int(second == 7), "shards": int(second in (5, 10))})
  terminal.close()
  assert stream.getvalue().splitlines() == [
    "   5.0s  5,000 rows, 1,000 a second, part 1 of 3",
    "    10s  10,000 rows, 1,000 a second, 1 with an error, part 2 of 3",
  ]


def test_a_terminal_gets_a_bar_and_its_cursor_back():
  stream, clock = io.StringIO(), _Clock()
  terminal = BatchTerminal(stream, can_redraw=True, shards=1, clock=clock)
  clock.now = 2.0
  terminal({"rows": 300, "errors": 0, "shards": 1})
  terminal.close()
  terminal.close()
  assert "300 rows, 150 a second" in stream.getvalue()
  assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1
