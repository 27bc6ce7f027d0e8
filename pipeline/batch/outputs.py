"""Writes predictions to parts in a hidden folder beside the output, then joins them into files.

A file appears under its name complete or not at all, even if a process is killed. The next batch
that writes the same output removes the parts of a killed batch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dlpipe.disk.whole_files import flush
from dlpipe.errors import BadInputError, BusyError, DlpipeError
from dlpipe.local_paths import lies_in
from pipeline.batch.columns import Layout

_FORMATS = {
  ".jsonl": ("text_format", "write_jsonl", "join_jsonl"),
  ".csv": ("text_format", "write_csv", "join_csv"),
  ".parquet": ("parquet_format", "write", "join"),
}

Parts = Sequence[tuple[str, int]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputPlan:
  """The requested output.

  Attributes:
    path: absolute, with a suffix that names the format.
    shards: number of files; None for the one at `path`.
    overwrite: whether existing files may be replaced.
  """

  path: str
  shards: int | None = None
  overwrite: bool = False

  @property
  def targets(self) -> list[str]:
    """The paths of the files to write."""
    if self.shards is None:
      return [self.path]
    stem, suffix = os.path.splitext(self.path)
    return [f"{stem}-{n:05d}-of-{self.shards:05d}{suffix}" for n in range(self.shards)]

  @property
  def work_dir(self) -> str:
    """The hidden folder that holds parts until the output is complete."""
    folder, name = os.path.split(self.path)
    return os.path.join(folder, f".{name}.partial")

  def writer(self) -> Callable[[str, Layout, Sequence[Sequence[Any]]], None]:
    """Returns the format's function that writes one part: `(path, layout, columns)`."""
    return self._function(1)

  def joiner(self) -> Callable[[Parts, Parts, Layout], None]:
    """Returns the format's function that joins parts: `(parts, files, layout)`."""
    return self._function(2)

  def _function(self, index: int) -> Any:
    names = _FORMATS[os.path.splitext(self.path)[1].lower()]
    return getattr(importlib.import_module(f"pipeline.batch.{names[0]}"), names[index])


def plan_output(
  path: str, *, input_path: str, shards: int | None = None, overwrite: bool = False
) -> OutputPlan:
  """Checks the output's name and the files that exist; writes nothing.

  Raises:
    BadInputError: the format is unknown, a file exists already, or the output lies in the input.
  """
  path, source = os.path.abspath(path), os.path.abspath(input_path)
  if os.path.splitext(path)[1].lower() not in _FORMATS:
    raise BadInputError(
      f"--output must end with {', '.join(_FORMATS)}: that names its format. Received: {path!r}"
    )
  if lies_in(path, source):
    raise BadInputError(
      f"The output {path!r} lies in the input {source!r}. Choose another --output."
    )
  if os.path.isdir(path):
    raise BadInputError(f"Expected a file name as --output. {path!r} is a folder.")
  plan = OutputPlan(path=path, shards=shards, overwrite=overwrite)
  _require_free(plan)
  return plan


def _require_free(plan: OutputPlan) -> None:
  there = [file for file in [*plan.targets, *_other_shards(plan)] if os.path.lexists(file)]
  if there and not plan.overwrite:
    raise BadInputError(f"{there[0]!r} exists. Name another --output, or add --overwrite.")


def _other_shards(plan: OutputPlan) -> list[str]:
  """Returns files of an earlier batch with another number of shards: readers would mix them up."""
  if plan.shards is None:
    return []
  target = pathlib.Path(plan.path)
  digits = "[0-9]" * 5
  found = target.parent.glob(f"{_glob_escaped(target.stem)}-{digits}-of-{digits}{target.suffix}")
  return sorted({str(file) for file in found} - set(plan.targets))


def _glob_escaped(name: str) -> str:
  return "".join(f"[{c}]" if c in "*?[" else c for c in name)


@contextlib.contextmanager
def staging(plan: OutputPlan) -> Iterator[str]:
  """Makes a folder for parts, locks it for this process, and removes it when the block ends.

  Raises:
    BusyError: another batch is writing the same output.
    DlpipeError: the folder cannot be written.
  """
  work = pathlib.Path(plan.work_dir)
  try:
    work.mkdir(parents=True, exist_ok=True)
    lock = (work / ".lock").open("a")
  except OSError as err:
    raise DlpipeError(f"Cannot write beside {plan.path!r}: {err.strerror or err}.") from err
  with lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise BusyError(f"Another batch is writing {plan.path!r}. Wait for it.") from None
    try:
      parts = work / "parts"
      if parts.exists():
        shutil.rmtree(parts)
      parts.mkdir(parents=True)
      yield str(parts)
    finally:
      shutil.rmtree(work, ignore_errors=True)


def publish(plan: OutputPlan, parts: Parts, layout: Layout, work: str) -> list[str]:
  """Joins the parts and moves the files to their final paths.

  Args:
    plan: the output.
    parts: path and number of rows of each part, in the order of the rows.
    layout: the columns of the parts.
    work: a folder on the output's file system.

  Returns:
    The paths of the files. Their numbers of rows differ by one at most.

  Raises:
    BadInputError: such a file was created meanwhile, and `plan` does not overwrite.
    OSError: a file cannot be written.
  """
  total, count = sum(rows for _, rows in parts), len(plan.targets)
  bounds = [number * total // count for number in range(count + 1)]
  staged = [
    (os.path.join(work, f"joined-{number:05d}"), bounds[number + 1] - bounds[number])
    for number in range(count)
  ]
  plan.joiner()(parts, staged, layout)
  for path, _ in staged:
    flush(path)
  _require_free(plan)
  for (path, _), target in zip(staged, plan.targets, strict=True):
    os.replace(path, target)
  for file in _other_shards(plan):
    os.unlink(file)
  flush(os.path.dirname(plan.path))
  return plan.targets
