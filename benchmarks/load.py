"""Starts servers as processes, puts load on them, and measures CPU and memory. For `serving.py`.

Load comes from nghttp2's `h2load`, in C: a Python client would need more CPU than the server. CPU
is that of the server's process and its children, memory that of the process, both from `/proc`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence

import grpc
import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_S = 120
_GRPC = {"content-type": "application/grpc", "te": "trailers"}


@dataclasses.dataclass(frozen=True)
class Load:
  """The result of a period of load.

  Attributes:
    requests: number of answered requests.
    seconds: duration of the load.
    cpu_us: the server's CPU time per request, in microseconds.
    latencies_ms: the latency of each request, by HTTP status.
  """

  requests: int
  seconds: float
  cpu_us: float
  latencies_ms: Mapping[int, np.ndarray]

  @property
  def per_second(self) -> float:
    """Returns the requests answered per second."""
    return self.requests / self.seconds

  def quantile_ms(self, quantile: float, status: int = 200) -> float:
    """Returns a quantile of the latencies of answers with this status, in milliseconds."""
    found = self.latencies_ms.get(status)
    return float(np.quantile(found, quantile)) if found is not None else float("nan")


class Server:
  """A running server."""

  def __init__(self, pid: int, port: int, rest_port: int):
    """Describes a running server.

    Args:
      pid: id of its first process.
      port: its gRPC port; 0 for none.
      rest_port: its REST port; 0 for none.
    """
    self.pid, self.port, self.rest_port = pid, port, rest_port

  def cpu_s(self) -> float:
    """Returns the CPU seconds until now, of all its threads and child processes."""
    return sum(_cpu_s(pid) for pid in _family(self.pid))

  def memory_mb(self) -> float:
    """Returns its resident memory in MB."""
    return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE / 1e6

  def pause(self) -> None:
    """Suspends its processes: an idle server may poll, and take CPU from the measured one."""
    os.killpg(self.pid, signal.SIGSTOP)

  def resume(self) -> None:
    """Continues its processes."""
    os.killpg(self.pid, signal.SIGCONT)


@contextlib.contextmanager
def running(
  command: Sequence[str],
  *,
  port: int = 0,
  rest_port: int = 0,
  folder: pathlib.Path = REPOSITORY,
  environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
  """Starts a server in a folder and waits until its ports are open; stops it after the block.

  Raises:
    RuntimeError: it ended, or did not open its ports.
  """
  with tempfile.TemporaryFile("w+") as log:
    process = subprocess.Popen(
      command,
      cwd=folder,
      env={**os.environ, **(environment or {})},
      stdout=log,
      stderr=subprocess.STDOUT,
      start_new_session=True,
    )
    try:
      deadline = time.monotonic() + _START_S
      while not all(_is_open(number) for number in (port, rest_port) if number):
        if process.poll() is not None or time.monotonic() > deadline:
          log.seek(0)
          raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read()}")
        time.sleep(0.1)
      yield Server(process.pid, port, rest_port)
    finally:
      os.killpg(process.pid, signal.SIGKILL)
      process.wait()


def ours(
  models: pathlib.Path, name: str, *flags: str, checkout: pathlib.Path | None = None
) -> contextlib.AbstractContextManager[Server]:
  """Runs our server with one model; if given, the server of another checkout and its `.venv`."""
  port, rest_port = free_ports(2)
  python = str(checkout / ".venv" / "bin" / "python") if checkout else sys.executable
  command = [python, "-m", "serving", f"--model_name={name}"]
  command += [
    f"--model_base_path={models / name}",
    f"--port={port}",
    f"--rest_api_port={rest_port}",
  ]
  folder = checkout or REPOSITORY
  return running([*command, *flags], port=port, rest_port=rest_port, folder=folder)


def free_ports(count: int) -> list[int]:
  """Returns free ports."""
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
    for one in sockets:
      one.bind(("127.0.0.1", 0))
    return [one.getsockname()[1] for one in sockets]


def h2load_path() -> str:
  """Returns the path of h2load.

  Raises:
    SystemExit: it is not installed.
  """
  found = shutil.which("h2load")
  if found is None:
    raise SystemExit("h2load makes the load: install it (Debian, Ubuntu: nghttp2-client).")
  return found


def rest_load(
  server: Server, model: str, body: bytes, *, clients: int, seconds: float, rate: float = 0.0
) -> Load:
  """Sends Predict over REST on `clients` connections, at `rate` per second; 0 for the maximum."""
  url = f"http://127.0.0.1:{server.rest_port}/v1/models/{model}:predict"
  headers = {"content-type": "application/json"}
  return _h2load(server, ["--h1"], url, headers, body, clients, seconds, rate)


def grpc_load(
  server: Server, message: bytes, *, clients: int, seconds: float, rate: float = 0.0
) -> Load:
  """Sends Predict over gRPC on `clients` connections; refusals also have HTTP status 200.

  Raises:
    grpc.RpcError: the server refuses a single call with this message, made beforehand.
  """
  with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
    channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(message, timeout=60)
  url = f"http://127.0.0.1:{server.port}/tensorflow.serving.PredictionService/Predict"
  frame = b"\0" + len(message).to_bytes(4, "big") + message
  return _h2load(server, [], url, _GRPC, frame, clients, seconds, rate)


def check_answer(server: Server, model: str, body: bytes) -> None:
  """Checks one answer: a server that refuses requests quickly would look fast.

  Raises:
    RuntimeError: the answer is not one prediction of ten numbers.
  """
  url = f"http://127.0.0.1:{server.rest_port}/v1/models/{model}:predict"
  request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
  try:
    with urllib.request.urlopen(request, timeout=60) as response:
      rows = json.load(response)["predictions"]
  except (OSError, ValueError, KeyError) as err:
    raise RuntimeError(f"{url} does not answer: {err}") from err
  if len(rows) != 1 or len(rows[0]) != 10:
    raise RuntimeError(f"{url} answers {rows}")


def _h2load(
  server: Server,
  options: Sequence[str],
  url: str,
  headers: Mapping[str, str],
  body: bytes,
  clients: int,
  seconds: float,
  rate: float,
) -> Load:
  with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
    data, log = pathlib.Path(scratch) / "body", pathlib.Path(scratch) / "log"
    data.write_bytes(body)
    command = [h2load_path(), *options, f"-c{clients}", f"-D{seconds * 1000:.0f}ms", f"-d{data}"]
    command += [f"--log-file={log}", *(f"-H{name}: {value}" for name, value in headers.items())]
    if rate:
      command.append(f"--rps={rate / clients:g}")
    cpu_s = server.cpu_s()
    done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    cpu_s = server.cpu_s() - cpu_s
    rows = np.loadtxt(log, np.int64, ndmin=2)
  finished = re.search(r"finished in ([\d.]+)(m?s)", done.stdout)
  if finished is None or not rows.size:
    raise RuntimeError(f"h2load found no answers at {url}:\n{done.stdout}{done.stderr}")
  statuses = {int(s): rows[rows[:, 1] == s, 2] / 1000 for s in np.unique(rows[:, 1])}
  return Load(len(rows), seconds, cpu_s * 1e6 / len(rows), statuses)


def _family(pid: int) -> list[int]:
  """Returns a process and all its descendants."""
  files = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
  children = [int(child) for file in files for child in file.read_text().split()]
  return [pid, *(member for child in children for member in _family(child))]


def _cpu_s(pid: int) -> float:
  fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
  return (int(fields[11]) + int(fields[12])) / _TICKS


def _is_open(port: int) -> bool:
  with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
    return True
  return False
