"""How a process ends that does not wait for the interpreter's end."""

import os
import subprocess
import sys

import tensorflow as tf

from dlpipe.ending import delete_generated, generated_files

_SAYS_AND_ENDS = """
import atexit, logging, sys
from dlpipe.ending import end_now

atexit.register(print, "the interpreter's end")
logging.basicConfig(stream=sys.stderr)
sys.stdout.write("an answer")
logging.getLogger("dlpipe").warning("a line")
end_now(4)
"""


def test_what_was_said_is_there_and_nothing_else_is_done():
  done = subprocess.run(
    [sys.executable, "-c", _SAYS_AND_ENDS], capture_output=True, text=True, timeout=120, check=False
  )
  assert (done.returncode, done.stdout) == (4, "an answer")
  assert done.stderr == "WARNING:dlpipe:a line\n"


def test_the_modules_of_autograph_are_deleted_but_those_before():
  before = generated_files()

  @tf.function
  def doubled_while_small(x):
    while x < 10:
      x = 2 * x
    return x

  assert int(doubled_while_small(tf.constant(3))) == 12
  made = generated_files() - before
  assert made
  assert all(os.path.isfile(path) for path in made)
  delete_generated(but=before)
  assert not any(os.path.exists(path) for path in made)
  assert int(doubled_while_small(tf.constant(4))) == 16  # they are loaded
