"""The exceptions that a user can act on, each with its exit code.

    DlpipeError                  1  the run failed
    +-- BadInputError            2  misuse, or input that cannot be read: nothing was started
    +-- DataRefusedError         3  the data was read and is not fit to train on
    +-- ModelRefusedError        4  the model was trained and is not fit to serve
    +-- BusyError               75  another process holds a lock: trying again helps

The class holds the code, so there is no second table of codes. A message says what was expected,
what was received, in which file or row, and what to do. Components, sources and the command line
import this module; it imports nothing.
"""


class DlpipeError(Exception):
  """A failure that the user can act on; shown without a traceback."""

  exit_code = 1


class BadInputError(DlpipeError):
  """The command or its input cannot be used as given; nothing was started."""

  exit_code = 2


class DataRefusedError(DlpipeError):
  """The data was read, and a gate refused to train on it."""

  exit_code = 3


class ModelRefusedError(DlpipeError):
  """The model was trained, and a gate refused to push it."""

  exit_code = 4


class BusyError(DlpipeError):
  """Another process holds a lock; the same command succeeds after that process has finished."""

  exit_code = 75  # EX_TEMPFAIL of sysexits.h
