"""Measures the overhead of a node: in a cold process, from a warm worker, and in one process.

    python benchmarks/orchestration.py [--task images] [--keep DIR]

Uses the task's shipped data and the tiny preset. First `dlpipe run` fills a workspace. Then every
node runs three more times, each time with a new run id, so that all results come from the cache and
only the overhead is measured: with `dlpipe run`, with `dlpipe node` in cold processes, and with
`dlpipe node --worker`. Seconds are the command's wall time; for the run in one process, the time of
its nodes without the start. CPU seconds are those of the client process, which for a cold node is
the whole node; CPU time in a fork of the worker is not included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
_COMMAND = [sys.executable, "-m", "pipeline.cli.main"]


def main() -> None:
  """Measures, and prints a Markdown table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--task", default="images")
  parser.add_argument("--keep", metavar="DIR", help="a workspace to use and keep")
  options = parser.parse_args()
  with contextlib.ExitStack() as stack:
    home = options.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="dlpipe-bench-"))
    measure(options.task, pathlib.Path(home).absolute())


def measure(task: str, home: pathlib.Path) -> None:
  """Runs everything for one task and prints the table.

  Args:
    task: the task's name.
    home: folder for the workspace, the compiled pipeline and the worker's socket.
  """
  told = [task, "--tiny", "--workspace", str(home)]
  ir = home / f"{task}.json"
  _run("run", *told, "--json")
  cached = _run("run", *told, "--json")
  _run("compile", *told, "--for", "ir", "-o", str(ir))
  nodes = [each["pipeline_node"]["node_info"]["id"] for each in json.loads(ir.read_text())["nodes"]]
  here = {each["id"]: each["seconds"] for each in json.loads(cached[2])["components"]}
  run = f"{os.getpid()}-{time.time_ns()}"
  common = ["node", "--ir", str(ir)]
  cold = {name: _run(*common, "--run-id", f"cold-{run}", "--node", name) for name in nodes}
  with _worker(home / "worker.sock") as address:
    warm = {
      name: _run(*common, "--run-id", f"warm-{run}", "--worker", address, "--node", name)
      for name in nodes
    }
  print("| cached node | in one process, s | warm worker, s (client's CPU) | cold, s (CPU) |")
  print("|---|---|---|---|")
  for name in nodes:
    print(
      f"| {name} | {here[name]:.2f} | {warm[name][0]:.2f} ({warm[name][1]:.2f}) "
      f"| {cold[name][0]:.1f} ({cold[name][1]:.1f}) |"
    )
  middle = [
    statistics.median(values)
    for values in (
      [here[name] for name in nodes],
      [warm[name][0] for name in nodes],
      [cold[name][0] for name in nodes],
    )
  ]
  print("| median | {:.2f} | {:.2f} | {:.1f} |".format(*middle))


def _run(*arguments: str) -> tuple[float, float, str]:
  """Runs a command; returns wall seconds, CPU seconds and the last line it prints."""
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  started = time.monotonic()
  done = subprocess.run(
    [*_COMMAND, *arguments], cwd=_REPOSITORY, env=_environment(), capture_output=True, text=True
  )
  wall = time.monotonic() - started
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  if done.returncode:
    raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
  cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
  return wall, cpu, (done.stdout.strip().splitlines() or [""])[-1]


@contextlib.contextmanager
def _worker(address: pathlib.Path) -> Iterator[str]:
  process = subprocess.Popen(
    [*_COMMAND, "worker", "--address", str(address)],
    cwd=_REPOSITORY,
    env=_environment(),
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
  )
  try:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("Listening"):
      raise SystemExit("The worker did not start.")
    yield str(address)
  finally:
    process.send_signal(signal.SIGTERM)
    process.wait()


def _environment() -> dict[str, Any]:
  return {**os.environ, "PYTHONPATH": str(_REPOSITORY)}


if __name__ == "__main__":
  main()
