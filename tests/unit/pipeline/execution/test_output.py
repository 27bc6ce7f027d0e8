"""`quiet_output` around real descriptors: each case is a process of its own."""

import logging
import pathlib
import subprocess
import sys

import pytest

from dlpipe.errors import BadInputError
from pipeline.execution import output

_ROOT = pathlib.Path(__file__).parents[4]


def _run(body, log, *, python_args=(), check=True):
  script = f"""
import ctypes, logging, os, subprocess, sys, warnings
from pipeline.execution.output import quiet_output
LOG = {str(log)!r}
{body}
"""
  done = subprocess.run(
    [sys.executable, *python_args, "-c", script],
    capture_output=True,
    text=True,
    env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin"},
    timeout=600,
  )
  if check:
    assert done.returncode == 0, done.stderr
  return done


def test_everything_goes_to_the_log_but_the_yielded_streams(tmp_path):
  log = tmp_path / "logs" / "run.log"
  done = _run(
    """
print("before")
with quiet_output(LOG) as real:
  print("python stdout")
  print("python stderr", file=sys.stderr)
  os.write(1, b"descriptor 1\\n")
  os.write(2, b"descriptor 2\\n")
  ctypes.CDLL(None).puts(b"c stdio")
  subprocess.run(["sh", "-c", "echo child; echo child error >&2"], check=True)
  logging.getLogger("dlpipe.progress").info("epoch 1")
  logging.getLogger("tensorflow").warning("noise")
  warnings.warn("deprecated")
  print("for the person", file=real.stdout)
  print("for the person too", file=real.stderr)
print("after")
print("after error", file=sys.stderr)
""",
    log,
  )
  assert done.stdout == "before\nfor the person\nafter\n"
  assert done.stderr == "for the person too\nafter error\n"
  logged = log.read_text()
  for text in (
    "python stdout", "python stderr", "descriptor 1", "descriptor 2", "c stdio", "child",
    "child error", "I dlpipe.progress: epoch 1", "W tensorflow: noise", "deprecated",
  ):  # fmt: skip
    assert logged.count(f"{text}\n") + logged.count(f": {text}\n") >= 1, text
  assert "person" not in logged
  assert "after" not in logged


def test_an_error_restores_and_leaves_its_traceback_in_the_log(tmp_path):
  log = tmp_path / "run.log"
  done = _run(
    """
try:
  with quiet_output(LOG):
    raise ValueError("broken")
except ValueError as err:
  print("caught", err)
""",
    log,
  )
  assert done.stdout == "caught broken\n"
  assert done.stderr == ""
  assert "Traceback" in log.read_text()
  assert "ValueError: broken" in log.read_text()


def test_an_interrupt_restores(tmp_path):
  log = tmp_path / "run.log"
  done = _run(
    """
import signal
# A shell's background job, which CI may be, starts with interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
  with quiet_output(LOG):
    print("inside")
    os.kill(os.getpid(), signal.SIGINT)
    import time; time.sleep(5)
except KeyboardInterrupt:
  print("interrupted")
""",
    log,
  )
  assert done.stdout == "interrupted\n"
  assert "inside" in log.read_text()


def test_earlier_screen_handlers_are_silent_and_come_back(tmp_path):
  log = tmp_path / "run.log"
  done = _run(
    """
logging.basicConfig(level=logging.WARNING, format="screen %(message)s")
with quiet_output(LOG):
  logging.info("during")
logging.info("too low")
logging.warning("afterwards")
""",
    log,
  )
  assert done.stderr == "screen afterwards\n"
  assert log.read_text().count("during") == 1
  assert "screen" not in log.read_text()


def test_absl_logs_to_the_file_at_info_once(tmp_path):
  pytest.importorskip("absl.logging")
  log = tmp_path / "run.log"
  done = _run(
    """
from absl import logging as absl_logging
absl_logging.use_absl_handler()
with quiet_output(LOG):
  absl_logging.info("a component ran")
absl_logging.info("quiet again")
""",
    log,
  )
  assert done.stderr == ""
  assert log.read_text().count("a component ran") == 1
  assert "quiet again" not in log.read_text()


def test_two_runs_append(tmp_path):
  log = tmp_path / "run.log"
  _run(
    """
for i in (1, 2):
  with quiet_output(LOG):
    print("run", i)
""",
    log,
  )
  assert log.read_text() == "run 1\nrun 2\n"


def test_a_reader_that_left_does_not_break_the_restoring(tmp_path):
  log = tmp_path / "run.log"
  done = _run(
    """
reader, writer = os.pipe()
saved = os.dup(1)
os.dup2(writer, 1)
pipe = os.fstat(1).st_ino
try:
  with quiet_output(LOG) as real:
    os.close(reader)
    print("nobody reads this", file=real.stdout)
except BrokenPipeError:
  restored = os.fstat(1).st_ino == pipe
os.dup2(saved, 1)
print("restored:", restored)
""",
    log,
  )
  assert done.stdout == "restored: True\n"


def test_a_python_stream_that_is_captured_stays_the_real_one(tmp_path):
  log = tmp_path / "run.log"
  done = _run(
    """
import io
captured = sys.stdout = io.StringIO()
with quiet_output(LOG) as real:
  kept = sys.stdout
  print("noise")
  print("shown", file=real.stdout)
print("later", file=kept)
sys.stdout = sys.__stdout__
print(repr(captured.getvalue()))
""",
    log,
  )
  assert done.stdout == "'shown\\nlater\\n'\n"
  assert log.read_text() == "noise\n"


def test_a_terminal_stays_a_terminal(tmp_path):
  log = tmp_path / "run.log"
  done = _run(
    """
import pty
parent, child = pty.openpty()
saved = os.dup(1)
os.dup2(child, 1)
with quiet_output(LOG) as real:
  answers = (real.stdout.isatty(), real.stderr.isatty(), sys.stdout.isatty())
os.dup2(saved, 1)
print(*answers)
""",
    log,
  )
  assert done.stdout == "True False False\n"


def test_a_log_that_cannot_be_written_is_refused_before_anything_is_redirected(tmp_path):
  (tmp_path / "file").write_text("in the way")
  handlers = list(logging.getLogger().handlers)
  with (
    pytest.raises(BadInputError, match=r"log file '.*/file/run.log' cannot be written"),
    output.quiet_output(tmp_path / "file" / "run.log"),
  ):
    raise AssertionError("the block must not be entered")
  assert logging.getLogger().handlers == handlers


def test_no_module_here_imports_a_heavy_library():
  done = _run(
    """
from pipeline.execution import events, output, terminal
from pipeline.runs import report_data, result, summary
from pipeline.report import charts, render
heavy = {"tensorflow", "tfx", "apache_beam", "keras", "numpy"} & set(sys.modules)
print(sorted(heavy))
""",
    "unused",
  )
  assert done.stdout == "[]\n"
