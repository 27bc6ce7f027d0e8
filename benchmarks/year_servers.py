"""The servers of `year.py`, and their clock.

    python benchmarks/year_servers.py CLOCK --model_name=sentiment ...

runs the model server with the time of a file, which its request log believes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from year_world import DAY_S, KEPT_LOG_DAYS, REPOSITORY, START_S, TASK, World


class Servers:
  """Two servers of the workspace behind one client, as replicas behind a balancer.

  The first logs all that it is asked. The second is asked by a thread, all the time.
  """

  def __init__(self, world: World):
    self._world = world
    self._ports = [free_port(), free_port()]
    self._processes: list[subprocess.Popen[bytes] | None] = [None, None]
    self._ending = threading.Event()
    self._asker = threading.Thread(target=self._ask_on)
    self._asked = 0
    self._counted = (0, 0)
    self.failures: list[str] = []

  def __enter__(self) -> Servers:
    for number in (0, 1):
      self.start(number)
    for number in (0, 1):
      self.wait(number)
    self._asker.start()
    return self

  def __exit__(self, *_: object) -> None:
    self._ending.set()
    self._asker.join()
    for process in self._processes:
      if process is not None:
        process.terminate()
        process.wait()

  def start(self, number: int) -> None:
    """Starts a server, and waits for nothing."""
    world = self._world
    command = [sys.executable, __file__, str(world.place / "clock"), f"--model_name={TASK}"]
    command += [f"--model_base_path={world.serving}", "--port=0"]
    command += [f"--rest_api_port={self._ports[number]}", "--file_system_poll_wait_seconds=1"]
    if number == 0:
      command += [f"--request_log_dir={world.log.parent}", "--request_log_sample=1"]
      command += [f"--request_log_keep_days={KEPT_LOG_DAYS}", "--request_log_errors=true"]
    with (world.place / f"server{number}.log").open("ab") as log:
      self._processes[number] = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT
      )

  def wait(self, number: int) -> None:
    """Waits until a server answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
      with contextlib.suppress(OSError, http.client.HTTPException):
        self._once(number, "ready ?", "")
        return
      time.sleep(0.2)
    raise RuntimeError(f"Server {number} did not start: see {self._world.place}")

  def kill(self, number: int) -> None:
    """Ends a server as nothing else does."""
    process = self._processes[number]
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

  def ask(self, text: str, name: str = "", *, first: int = 0) -> str:
    """Returns the label of a text, of whichever server answers; an empty one if none does."""
    self._asked += 1
    said = ""
    for number in (first, 1 - first):
      try:
        return self._once(number, text, name)
      except (OSError, http.client.HTTPException, ValueError) as err:
        said = f"{type(err).__name__}: {err}"
    self.failures.append(said)
    return ""

  def counted(self) -> tuple[int, int]:
    """Returns how many requests there were since the last call, and how many failed."""
    before, self._counted = self._counted, (self._asked, len(self.failures))
    return self._counted[0] - before[0], self._counted[1] - before[1]

  def _once(self, number: int, text: str, name: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", self._ports[number], timeout=30)
    with contextlib.closing(connection):
      body = json.dumps({"instances": [text]})
      headers = {"x-request-id": name} if name else {}
      connection.request("POST", f"/v1/models/{TASK}:predict", body, headers)
      answer = connection.getresponse()
      content = answer.read()
    if answer.status != 200:
      raise ValueError(f"{answer.status}: {content[:200]!r}")
    [found] = json.loads(content)["predictions"]
    return str(found["label"])

  def _ask_on(self) -> None:
    rows = self._world.texts.rows("all the time", 200)
    while not self._ending.wait(0.5):
      self.ask(rows[self._asked % len(rows)][0], first=1)


def free_port() -> int:
  """Returns a port that nobody listens on."""
  with socket.socket() as found:
    found.bind(("127.0.0.1", 0))
    return int(found.getsockname()[1])


def end_day(world: World, day: int, last: str) -> None:
  """Lets the log complete its files, and dates them: the disk has no clock that can be set.

  The log writes ten times a second, and gives what it writes the time of then: the day ends when
  its `last` request is written.
  """
  span = world.log / f"span-{int(world.moment(day)) // DAY_S}"
  _wait(lambda: any(last.encode() in path.read_bytes() for path in span.glob(".requests-*")))
  world.clock.set(world.moment(day + 0.9), skip=DAY_S)
  _wait(lambda: not any(span.glob(".requests-*")))
  for file in span.glob("*"):
    os.utime(file, (world.moment(day + 0.9),) * 2)


def _wait(is_so: Callable[[], bool]) -> None:
  deadline = time.monotonic() + START_S
  while time.monotonic() < deadline:
    if is_so():
      return
    time.sleep(0.05)
  raise RuntimeError("The log did not write what it was to")


class _Time:
  """The module `time` with the wall and the monotonic clock of a file."""

  def __init__(self, path: str):
    self._path = pathlib.Path(path)

  def __getattr__(self, name: str) -> Any:
    return getattr(time, name)

  def time(self) -> float:
    return time.time() + struct.unpack("dd", self._path.read_bytes())[0]

  def monotonic(self) -> float:
    return time.monotonic() + struct.unpack("dd", self._path.read_bytes())[1]


def _serve(clock: str, flags: list[str]) -> None:
  sys.path.insert(0, str(REPOSITORY))
  from serving.telemetry import record_files, request_log

  request_log.time = record_files.time = _Time(clock)  # type: ignore[assignment]
  from serving.cli import run

  run(flags)


if __name__ == "__main__":
  _serve(sys.argv[1], sys.argv[2:])
