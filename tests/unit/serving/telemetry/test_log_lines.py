"""What requests and files bring stays within its log line."""

import io
import logging

import pytest

from serving.telemetry.log_lines import LineFormatter


@pytest.fixture
def log():
  """A logger, and what it has written."""
  out = io.StringIO()
  handler = logging.StreamHandler(out)
  handler.setFormatter(LineFormatter("%(levelname).1s %(message)s"))
  logger = logging.getLogger("forged")
  logger.addHandler(handler)
  logger.propagate = False
  yield logger, out
  logger.removeHandler(handler)


@pytest.mark.parametrize(
  ("given", "written"),
  [
    ("m", "m"),
    ("größer 猫 👩‍🚀", "größer 猫 👩\\u200d🚀"),
    ("m\n2026-11-29 I ADMIN: token rotated", "m\\n2026-11-29 I ADMIN: token rotated"),
    ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    ("a\rb\x85c\u2028d\u2029e\x0bf\x00", "a\\rb\\x85c\\u2028d\\u2029e\\x0bf\\x00"),
    ("\u202egnp.exe", "\\u202egnp.exe"),
    ("half \ud800", "half \\ud800"),
  ],
)
def test_a_message_is_one_line(log, given, written):
  logger, out = log
  logger.error("no model %s", given)
  assert out.getvalue() == f"E no model {written}\n"


def test_each_line_of_a_traceback_begins_with_a_tab(log):
  logger, out = log
  try:
    raise ValueError("x\nI ADMIN: all is well\x1b[0m")
  except ValueError:
    logger.exception("A request\nfailed")
  first, *rest = out.getvalue().splitlines()
  assert first == "E A request\\nfailed"
  assert "\tI ADMIN: all is well\\x1b[0m" in rest
  assert all(line.startswith("\t") for line in rest)
