"""Edits a copy of the sources, one small edit at a time, and reports edits that no test notices.

Called by `make mutants`. tests/mutants/*.yaml lists the edits, each with the tests that must notice
it; docs/decisions/0031 says why the list is written by hand. Exit 1: too many edits survive, or one
survives without a reason; 2: the list is wrong, tests fail without an edit, or tests do not import
the copy.

The heavy libraries are imported once; each edit is tested in a process forked from there, which
imports our own code from the copy.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import importlib
import importlib.util
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mutant_list import Mutant, read_mutants

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_MOST_SURVIVING = 0.05
# Modules that our tests import and that take seconds to load. None of them starts threads or
# TensorFlow's runtime, which do not survive a fork. Some may be missing in another environment.
_HEAVY = (
  "pytest", "numpy", "keras", "tensorflow", "tensorflow_transform", "tensorflow_model_analysis",
  "tensorflow_data_validation", "tfx.v1", "tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner",
  "tfx.components.evaluator.executor", "tensorflow_serving.apis.predict_pb2", "kfp", "sacrebleu",
  "scipy.sparse.csgraph", "PIL.Image", "hypothesis",
)  # fmt: skip
# An edit's time limit: so many seconds, plus so many times the duration without the edit. It stops
# endless loops, and is wide enough for a slow machine.
_LEAST_LIMIT_S, _SLOWER = 60.0, 10.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Copy:
  """A copy of the sources that holds at most one edit at a time."""

  def __init__(self, root: pathlib.Path, target: pathlib.Path):
    """Copies the files of `root` that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
      if (root / name).is_file():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name, follow_symlinks=False)
    self.path = target
    self._edits = 0

  @contextlib.contextmanager
  def edited(self, mutant: Mutant | None) -> Iterator[None]:
    """Applies the edit while the block runs; None edits nothing."""
    if mutant is None:
      yield
      return
    file = self.path / mutant.file
    before, times = file.read_bytes(), file.stat()
    edited = mutant.applied(before.decode()).encode()
    file.write_bytes(edited)
    # Python reuses bytecode if the source's size and time in whole seconds agree, so each edit gets
    # a different time.
    self._edits += 1
    os.utime(file, (times.st_atime, times.st_mtime + 10 * self._edits))
    try:
      yield
    finally:
      file.write_bytes(before)
      os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
  """The result of a test run.

  Attributes:
    code: pytest's exit code; negative if a signal ended it.
    seconds: its duration.
    said: its output.
    is_late: whether it was stopped for taking too long.
  """

  code: int
  seconds: float
  said: str
  is_late: bool = False

  @property
  def noticed_by(self) -> str:
    """Returns the first test that failed, or a description of another outcome."""
    if self.is_late:
      return "its end does not come"
    failed = _FAILED.search(self.said)
    return failed[1] if failed else f"pytest ends with {self.code}"


class Bench:
  """Runs tests on copies, one run per copy at a time."""

  def __init__(self, copies: Sequence[Copy], work: pathlib.Path):
    self._free = list(copies)
    self._work = work
    self._count = 0

  def run(
    self, jobs: Sequence[tuple[Mutant | None, Sequence[str], float]]
  ) -> Iterator[tuple[int, Outcome]]:
    """Yields the index and the outcome of each job, in the order in which they end.

    Args:
      jobs: the edit, the tests, and the time limit in seconds of each job.
    """
    todo = list(enumerate(jobs))[::-1]
    running: dict[int, _Running] = {}
    try:
      while todo or running:
        while todo and self._free:
          place, (mutant, tests, _) = todo.pop()
          running.update([self._start(place, mutant, tests)])
        time.sleep(0.02)
        for child, each in list(running.items()):
          ended, status = os.waitpid(child, os.WNOHANG)
          seconds = time.monotonic() - each.started
          is_late = not ended and seconds > jobs[each.place][2]
          if ended or is_late:
            del running[child]
            _kill_group(child)  # also kills processes that its tests left running
            status = status if ended else os.waitpid(child, 0)[1]
            yield each.place, self._outcome(each, status, seconds, is_late)
    finally:
      for child, each in running.items():
        _kill_group(child)
        each.edit.close()

  def _start(self, place: int, mutant: Mutant | None, tests: Sequence[str]) -> tuple[int, _Running]:
    copy, edit = self._free.pop(), contextlib.ExitStack()
    edit.enter_context(copy.edited(mutant))
    self._count += 1
    folder = self._work / str(self._count)
    folder.mkdir()
    child = _fork(copy.path, tests, folder)
    return child, _Running(place, copy, edit, folder, time.monotonic())

  def _outcome(self, ended: _Running, status: int, seconds: float, is_late: bool) -> Outcome:
    ended.edit.close()
    self._free.append(ended.copy)
    said = (ended.folder / "log").read_text(encoding="utf-8", errors="replace")
    shutil.rmtree(ended.folder, ignore_errors=True)
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code=code, seconds=seconds, said=said, is_late=is_late)


class _Running(NamedTuple):
  """A running job: its index, its copy, and its start."""

  place: int
  copy: Copy
  edit: contextlib.ExitStack
  folder: pathlib.Path
  started: float


def _kill_group(child: int) -> None:
  with contextlib.suppress(ProcessLookupError, PermissionError):
    os.killpg(child, signal.SIGKILL)


def _fork(copy: pathlib.Path, tests: Sequence[str], folder: pathlib.Path) -> int:
  """Starts a process, in a new process group, that runs tests in the copy; returns its id."""
  sys.stdout.flush()
  child = os.fork()
  if child:
    return child
  code = 3
  try:
    os.setsid()
    said = os.open(folder / "log", os.O_CREAT | os.O_WRONLY)
    for stream in (1, 2):
      os.dup2(said, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(copy)
    # Before the environment's packages, which include ours from the working tree.
    sys.path[0] = os.environ["PYTHONPATH"] = str(copy)
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder}/t"]
    options += ["-o", "addopts=--import-mode=importlib --strict-markers", "-rfE", "--tb=short"]
    if importlib.util.find_spec("hypothesis"):
      options.append("--hypothesis-seed=0")
    code = int(pytest.main([*options, *tests]))
  except BaseException:
    traceback.print_exc()
  finally:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _warm_up() -> None:
  """Imports the heavy libraries, none of them ours."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  for name in _HEAVY:
    with contextlib.suppress(ImportError):
      importlib.import_module(name)
  # Otherwise each garbage collection in a child touches these objects and copies their pages: 1 s.
  gc.collect()
  gc.freeze()


def _limits(bench: Bench, tests: Sequence[str]) -> dict[str, float]:
  """Returns the time limit of each test file or node, from its duration without an edit.

  Raises:
    ValueError: a test fails without an edit.
  """
  jobs = [(None, [test], float("inf")) for test in tests]
  limits, faults = {}, []
  for place, outcome in bench.run(jobs):
    limits[tests[place]] = _LEAST_LIMIT_S + _SLOWER * outcome.seconds
    if outcome.code:
      tail = "\n".join(outcome.said.splitlines()[-15:])
      faults.append(f"{tests[place]} fails without an edit:\n{tail}")
  if faults:
    raise ValueError("\n".join(faults))
  return limits


def _try_all(bench: Bench, mutants: Sequence[Mutant], limits: Mapping[str, float]) -> list[Mutant]:
  """Tests each edit and prints the outcome; returns the edits that no test noticed."""
  jobs = [(each, each.tests, sum(limits[test] for test in each.tests)) for each in mutants]
  surviving = []
  for place, outcome in bench.run(jobs):
    mutant = mutants[place]
    by = outcome.noticed_by if outcome.code else mutant.survives or ", ".join(mutant.tests)
    word = "noticed" if outcome.code else "SURVIVED"
    print(f"{word:8} {mutant.id}  {outcome.seconds:.1f} s  {by}", flush=True)
    if not outcome.code:
      surviving.append(mutant)
  return surviving


def _judge(mutants: Sequence[Mutant], surviving: Sequence[Mutant], listed: int) -> list[str]:
  """Returns the faults: too many surviving edits, or a wrong reason; empty if there are none."""
  wrong = [
    f"No test notices {each.id}. In {each.file}:\n- {each.old}\n+ {each.new}\nWrite a test into "
    f"{each.tests[0]} that fails under it."
    for each in surviving
    if not each.survives
  ]
  wrong += [
    f"{each.id} is noticed, though the list says that it survives: {each.survives}"
    for each in mutants
    if each.survives and each not in surviving
  ]
  if len(surviving) > _MOST_SURVIVING * listed:
    wrong.append(f"{len(surviving)} of {listed} edits survive: more than {_MOST_SURVIVING:.0%}.")
  return wrong


def _check_copy(bench: Bench, copy: Copy, mutant: Mutant) -> None:
  """Checks that tests, and processes that they start, import the copy, not the installed code.

  Raises:
    ValueError: they import the installed code.
  """
  source = (copy.path / mutant.file).read_text(encoding="utf-8")
  without = dataclasses.replace(mutant, old=source, new="raise ImportError\n")
  [(_, outcome)] = bench.run([(without, mutant.tests, _LEAST_LIMIT_S)])
  if not outcome.code:
    raise ValueError(f"{', '.join(mutant.tests)} pass where {mutant.file} cannot be imported.")
  package = mutant.file.split("/", maxsplit=1)[0]
  code = f"import importlib.util; print(importlib.util.find_spec({package!r}).origin)"
  environment = {**os.environ, "PYTHONPATH": str(copy.path)}
  command = [sys.executable, "-c", code]
  found = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
  if not found.stdout.startswith(str(copy.path)):
    raise ValueError(f"What tests start imports {package} from {found.stdout or found.stderr}")


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs the command; returns its exit code."""
  parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
  parser.add_argument("-k", metavar="REGEX", default="", help="only edits whose id it finds")
  parser.add_argument("-j", type=int, default=2, help="edits at a time")
  parser.add_argument("--check", action="store_true", help="only hold the list to the sources")
  parser.add_argument("--cold", action="store_true", help="import no heavy library beforehand")
  options = parser.parse_args(arguments)
  started = time.monotonic()
  try:
    mutants = read_mutants(_ROOT)
    listed = len(mutants)
    mutants = [each for each in mutants if re.search(options.k, each.id)]
    if options.check:
      return 0
    if not mutants:
      raise ValueError(f"No edit has an id that {options.k!r} finds.")
    with tempfile.TemporaryDirectory(prefix="mutants-") as work:
      folder = pathlib.Path(work)
      copies = [Copy(_ROOT, folder / f"copy{number}") for number in range(options.j)]
      if not options.cold:
        _warm_up()
      bench = Bench(copies, folder)
      limits = _limits(bench, sorted({test for each in mutants for test in each.tests}))
      python = next((each for each in mutants if each.file.endswith(".py")), None)
      if python:
        _check_copy(bench, copies[0], python)
      surviving = _try_all(bench, mutants, limits)
  except ValueError as err:
    print(err, file=sys.stderr)
    return 2
  wrong = _judge(mutants, surviving, listed)
  print("\n\n".join(["", *wrong]))
  minutes = (time.monotonic() - started) / 60
  noticed = len(mutants) - len(surviving)
  print(f"{len(mutants)} edits: {noticed} noticed, {len(surviving)} not, in {minutes:.1f} min")
  return 1 if wrong else 0


if __name__ == "__main__":
  sys.exit(main())
