"""Where lines can be drawn anew, which every screen asks in one place."""

import io
import pathlib

import pytest

from dlpipe import progress

_ROOT = pathlib.Path(__file__).parents[3]


class _Tty(io.StringIO):
  def isatty(self):
    return True


@pytest.mark.parametrize(
  ("term", "expected"),
  [("xterm-256color", True), ("linux", True), ("dumb", False), ("DUMB", False), ("unknown", False)],
)
def test_a_terminal_that_cannot_move_its_cursor_is_not_drawn_on(monkeypatch, term, expected):
  monkeypatch.setenv("TERM", term)
  assert progress.can_redraw(_Tty()) is expected
  assert not progress.can_redraw(io.StringIO())


def test_nobody_asks_a_stream_for_itself():
  rooms = ("dlpipe", "pipeline", "components")
  files = [path for room in rooms for path in (_ROOT / room).rglob("*.py")]
  asking = [path.name for path in files if ".isatty()" in path.read_text(encoding="utf-8")]
  assert asking == ["progress.py"]
