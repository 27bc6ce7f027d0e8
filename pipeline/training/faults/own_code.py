"""Says where a task's own code failed: file, line and error, in one sentence."""

from __future__ import annotations

import contextlib
import pathlib
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from dlpipe.errors import DlpipeError

# A worker that is lost is no fault of the code.
_OF_WORKERS = (tf.errors.UnavailableError, tf.errors.AbortedError)
# Keras puts an error into one that says which layer was called: the error stands in bold.
_OF_LAYER = re.compile(
  r"Exception encountered when calling (.*?)\.?\n\s*\n(?:\x1b\[1m)?(.*)", re.DOTALL
)
_BOLD = re.compile(r"\x1b\[\d+m")


@contextlib.contextmanager
def own_code(function: Callable[..., Any], what: str) -> Iterator[None]:
  """Inside the block, an error of a task's own code becomes a sentence with file and line.

  Args:
    function: a function of the task; the code in the folder of its file is the task's own.
    what: what is done, such as "build_model".

  Raises:
    DlpipeError: code of the task raised something else than a `DlpipeError` or an `OSError`.
  """
  try:
    yield
  except (DlpipeError, OSError, *_OF_WORKERS):
    raise
  except Exception as err:
    code = getattr(function, "__code__", None)
    folder = pathlib.Path(code.co_filename).resolve().parent if code else None
    frames = traceback.extract_tb(err.__traceback__)
    own = [each for each in frames if pathlib.Path(each.filename).resolve().parent == folder]
    if not own:
      raise
    place = f"{own[-1].filename}, line {own[-1].lineno}, in {own[-1].name}"
    raise DlpipeError(f"{what} failed at {place}: {said(err)}") from err


def said(error: BaseException) -> str:
  """Returns an error in one line, as it was before Keras said which layer was called.

  >>> said(ValueError("Exception encountered when calling Mine.call().\\n\\n\\x1b[1mno\\x1b[0m"))
  'ValueError: no (calling Mine.call())'
  """
  found = _OF_LAYER.search(str(error))
  words, called = (found[2], f" (calling {found[1]})") if found else (str(error), "")
  first = _BOLD.sub("", words).strip().split("\n\n", 1)[0]
  return f"{type(error).__name__}: {' '.join(first.split())}{called}"
