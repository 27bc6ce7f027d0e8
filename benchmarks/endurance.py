"""Measures the model server beside long requests, under overload, and over minutes of load.

Used by `serving.py`.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import pathlib
import queue
import threading
import time
import urllib.request
from typing import Any, Protocol

import grpc
import load
import numpy as np

# Small models on few cores; see docs/serving-api.md.
SMALL = "--tensorflow_intra_op_parallelism=1"
_LONG_ROUNDS = 1_000_000
_LIMIT = 8
_TIMES = 10
# Under overload: the rate of measured requests, as a share of the load, and the seconds of load
# before and after them.
_SAMPLED = 0.05
_MARGIN_S = 1.0


class Bodies(Protocol):
  """A model's name and one request to it in both protocols."""

  model: str
  rest: bytes
  grpc: bytes


def quick(models: pathlib.Path, bodies: Bodies, *, seconds: float) -> None:
  """Measures quick requests to a small model, and to the model that four clients keep busy."""
  config = models / "models.config"
  entries = "".join(
    f'config {{ name: "{name}" base_path: "{models / name}" model_platform: "tensorflow" }}'
    for name in (bodies.model, "loop")
  )
  config.write_text(f"model_config_list {{ {entries} }}")
  with load.ours(models, bodies.model, SMALL, f"--model_config_file={config}") as server:
    turn = json.dumps({"instances": [1]}).encode()
    load.rest_load(server, bodies.model, bodies.rest, clients=1, seconds=1)
    load.grpc_load(server, bodies.grpc, clients=1, seconds=1)
    load.rest_load(server, "loop", turn, clients=1, seconds=1)
    long = json.dumps({"instances": [_LONG_ROUNDS]}).encode()
    with _kept_busy(server, "loop", long, 4) as durations:
      time.sleep(1)
      asked = {
        "rest": load.rest_load(server, bodies.model, bodies.rest, clients=1, seconds=seconds),
        "grpc": load.grpc_load(server, bodies.grpc, clients=1, seconds=seconds),
        "same_model": load.rest_load(server, "loop", turn, clients=1, seconds=seconds),
      }
  found: dict[str, Any] = {"part": "quick", "long_s": round(float(np.median(durations)), 2)}
  for name, each in asked.items():
    found[name] = {
      f"{label}_ms": round(each.quantile_ms(quantile), 2)
      for label, quantile in (("p50", 0.5), ("p99", 0.99), ("most", 1.0))
    }
  print(json.dumps(found), flush=True)


def overload(models: pathlib.Path, bodies: Bodies, *, seconds: float) -> None:
  """Sends requests at ten times the rate that the server answers at its limit of clients."""
  with load.ours(models, bodies.model, f"--max_concurrent_requests={_LIMIT}") as server:
    for protocol in ("rest", "grpc"):
      ask = _grpc_open_loop if protocol == "grpc" else _rest_open_loop
      if protocol == "rest":
        usual = load.rest_load(server, bodies.model, bodies.rest, clients=_LIMIT, seconds=seconds)
      else:
        usual = load.grpc_load(server, bodies.grpc, clients=_LIMIT, seconds=seconds)
      time.sleep(_MARGIN_S)  # the server is still answering the rest of the load
      before_mb = server.memory_mb()
      accepted, refused = ask(server, bodies, rate=_TIMES * usual.per_second, seconds=seconds)
      found = {"part": "overload", "protocol": protocol, "can_do": round(usual.per_second)}
      found |= {"accepted": len(accepted), "refused": len(refused)}
      for name, latencies in (("accepted", accepted), ("refused", refused)):
        found[f"{name}_p50_ms"] = round(float(np.quantile(latencies, 0.5)), 2)
        found[f"{name}_p99_ms"] = round(float(np.quantile(latencies, 0.99)), 2)
      found["usual_p50_ms"] = round(usual.quantile_ms(0.5), 2)
      found["usual_p99_ms"] = round(usual.quantile_ms(0.99), 2)
      found["memory_growth"] = round(server.memory_mb() / before_mb - 1, 4)
      print(json.dumps(found), flush=True)


def soak(models: pathlib.Path, bodies: Bodies, minutes: int) -> None:
  """Loads both protocols at once, each at 40 % of its own maximum."""

  def ask(seconds: float, share: float) -> list[load.Load]:
    rates = [share * each for each in can_do]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
      rest = pool.submit(
        load.rest_load,
        server,
        bodies.model,
        bodies.rest,
        clients=16,
        seconds=seconds,
        rate=rates[0],
      )
      grpc_ = pool.submit(
        load.grpc_load, server, bodies.grpc, clients=16, seconds=seconds, rate=rates[1]
      )
      return [rest.result(), grpc_.result()]

  with load.ours(models, bodies.model, SMALL) as server:
    can_do = [0.0, 0.0]
    asked = load.rest_load(server, bodies.model, bodies.rest, clients=16, seconds=5)
    can_do = [
      asked.per_second,
      load.grpc_load(server, bodies.grpc, clients=16, seconds=5).per_second,
    ]
    ask(20, 0.4)
    first_mb = server.memory_mb()
    for minute in range(1, minutes + 1):
      loads = ask(60, 0.4)
      found: dict[str, Any] = {"part": "soak", "minute": minute}
      for name, each in zip(("rest", "grpc"), loads, strict=True):
        found[f"{name}_per_second"] = round(each.per_second)
        found[f"{name}_p99_ms"] = round(each.quantile_ms(0.99), 2)
      found["not_200"] = sum(
        len(v) for each in loads for status, v in each.latencies_ms.items() if status != 200
      )
      found["memory_mb"] = round(server.memory_mb(), 1)
      found["memory_growth"] = round(server.memory_mb() / first_mb - 1, 4)
      print(json.dumps(found), flush=True)


@contextlib.contextmanager
def _kept_busy(server: load.Server, model: str, body: bytes, clients: int) -> Any:
  """Keeps clients sending requests; yields the list of seconds that each answer took."""
  stopping, durations = threading.Event(), []

  def ask() -> None:
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/{model}:predict"
    while not stopping.is_set():
      started = time.monotonic()
      urllib.request.urlopen(urllib.request.Request(url, body), timeout=120).read()
      durations.append(time.monotonic() - started)

  threads = [threading.Thread(target=ask) for _ in range(clients)]
  for thread in threads:
    thread.start()
  try:
    yield durations
  finally:
    stopping.set()
    for thread in threads:
      thread.join()


def _rest_open_loop(
  server: load.Server, bodies: Bodies, *, rate: float, seconds: float
) -> tuple[Any, Any]:
  """Returns the latencies of accepted and of refused requests, in milliseconds."""
  asked = load.rest_load(
    server, bodies.model, bodies.rest, clients=_TIMES * _LIMIT, seconds=seconds, rate=rate
  )
  unexpected = set(asked.latencies_ms) - {200, 429}
  if unexpected:
    raise RuntimeError(f"Answers with status {sorted(unexpected)}.")
  return asked.latencies_ms[200], asked.latencies_ms[429]


def _grpc_open_loop(
  server: load.Server, bodies: Bodies, *, rate: float, seconds: float
) -> tuple[Any, Any]:
  """Returns the same for a few extra requests: h2load cannot distinguish refusals from answers."""
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    many = pool.submit(
      load.grpc_load,
      server,
      bodies.grpc,
      clients=_TIMES * _LIMIT,
      seconds=seconds + 2 * _MARGIN_S,
      rate=rate,
    )
    time.sleep(_MARGIN_S)
    asked = _asked_steadily(server, bodies, rate=rate * _SAMPLED, seconds=seconds)
    many.result()
  unexpected = {code for code, _ in asked} - {
    grpc.StatusCode.OK,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
  }
  if unexpected:
    raise RuntimeError(f"Answers with code {sorted(map(str, unexpected))}.")
  return (
    [each for code, each in asked if code is grpc.StatusCode.OK],
    [each for code, each in asked if code is not grpc.StatusCode.OK],
  )


def _asked_steadily(
  server: load.Server, bodies: Bodies, *, rate: float, seconds: float
) -> list[tuple[grpc.StatusCode, float]]:
  """Sends requests at a steady rate without waiting; returns code and milliseconds of each."""
  found: queue.SimpleQueue[tuple[grpc.StatusCode, float]] = queue.SimpleQueue()
  sent = 0
  with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    started = time.monotonic()
    while (now := time.monotonic() - started) < seconds:
      if sent > now * rate:
        time.sleep(0.001)
        continue
      sent += 1

      def done(future: Any, began: float = time.monotonic()) -> None:
        found.put((future.code(), (time.monotonic() - began) * 1000))

      call.future(bodies.grpc, timeout=30).add_done_callback(done)
    return [found.get(timeout=60) for _ in range(sent)]
