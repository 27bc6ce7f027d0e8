"""Measures the model server under load, beside servers written with other libraries and gRPC.

    python benchmarks/serving.py [--parts load batching quick overload] [--rounds 3] [--seconds 3]
    python benchmarks/serving.py --parts load --rounds 8 --beside ../before
    python benchmarks/serving.py --soak 10

load      requests per second and server CPU per request, REST and gRPC, at 1, 16 and 64 clients.
batching  time per row with `--enable_batching`, beside 32 rows in one call in process.
quick     latency of quick requests while four long ones run.
overload  ten times the server's maximum rate, with `--max_concurrent_requests`.
soak      minutes at 80 % of the maximum rate: memory, and the slowest hundredth of each minute.

`--beside` takes another checkout of this repository (after `make install` there), such as a
worktree of an older commit, and compares with its server instead of the other libraries.

Needs `h2load` (Debian, Ubuntu: nghttp2-client) and, for FastAPI, LitServe and BentoML, `uv`, which
installs them for the run. The servers of a part take turns within one invocation. Only ratios mean
anything, not requests per second, because the load runs on the same cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import endurance
import load
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

_BASELINES = pathlib.Path(__file__).resolve().parent / "baselines"
_UV = load.REPOSITORY / ".tools" / "bin" / "uv"
_CLIENTS = (1, 16, 64)
_ROWS = 32


def main() -> None:
  """Measures the chosen parts; prints a JSON line for each figure."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--parts", nargs="+", choices=sorted(_PARTS), default=list(_PARTS))
  parser.add_argument("--rounds", type=int, default=3, help="of load; the median is printed")
  parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
  parser.add_argument("--soak", type=int, metavar="MINUTES", help="this part alone")
  parser.add_argument(
    "--beside", type=pathlib.Path, metavar="CHECKOUT", help="of our server, to compare"
  )
  options = parser.parse_args()
  load.h2load_path()
  with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
    models = pathlib.Path(scratch)
    subprocess.run(
      [sys.executable, _BASELINES / "served_models.py", models],
      check=True,
      stdout=subprocess.DEVNULL,
    )
    if options.soak:
      endurance.soak(models, Bodies("small"), options.soak)
      return
    for part in options.parts:
      _PARTS[part](models, options)


class Bodies:
  """A request with one picture, for both protocols.

  Attributes:
    model: the model's name.
    rest: the body of the REST request.
    grpc: the message of the gRPC request.
  """

  def __init__(self, model: str):
    """Builds the requests to the model of this name."""
    self.model = model
    image = np.random.default_rng(0).random((1, 28, 28, 1), np.float32).round(4)
    self.rest = json.dumps({"instances": image.astype(np.float64).round(4).tolist()}).encode()
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(image))
    self.grpc = request.SerializeToString()


def measure_load(models: pathlib.Path, options: argparse.Namespace) -> None:
  """Measures each server at each number of clients, in turn, several times."""
  bodies = Bodies("small")
  with contextlib.ExitStack() as stack:
    ours = stack.enter_context(load.ours(models, bodies.model, endurance.SMALL))
    if options.beside:
      checkout = options.beside.resolve()
      beside = load.ours(models, bodies.model, endurance.SMALL, checkout=checkout)
      other = stack.enter_context(beside)
      rest, grpc = {"ours": ours, "other": other}, {"ours": ours, "other": other}
    else:
      folder = models / bodies.model
      rest, grpc = {"ours": ours}, {"ours": ours}
      for name, server in _rest_baselines(folder).items():
        rest[name] = stack.enter_context(server)
      for name, server in _grpc_baselines(folder).items():
        grpc[name] = stack.enter_context(server)
    for server in rest.values():
      load.check_answer(server, bodies.model, bodies.rest)
    for server in {*rest.values(), *grpc.values()}:
      server.pause()

    def ask(protocol: str, server: load.Server, clients: int, seconds: float) -> load.Load:
      server.resume()
      try:
        if protocol == "REST":
          return load.rest_load(server, bodies.model, bodies.rest, clients=clients, seconds=seconds)
        return load.grpc_load(server, bodies.grpc, clients=clients, seconds=seconds)
      finally:
        server.pause()

    for clients in _CLIENTS:
      for protocol, servers in (("REST", rest), ("gRPC", grpc)):
        found: dict[str, list[load.Load]] = {name: [] for name in servers}
        for server in servers.values():
          ask(protocol, server, clients, 1.0)
        for number in range(options.rounds):
          # The second server runs on a warmer machine, so the order alternates.
          for name, server in list(servers.items())[:: -1 if number % 2 else 1]:
            found[name].append(ask(protocol, server, clients, options.seconds))
        _print_load(protocol, clients, found)


def _rest_baselines(
  folder: pathlib.Path,
) -> dict[str, contextlib.AbstractContextManager[load.Server]]:
  """Returns REST servers written with other libraries, by name; `uv` installs each library."""

  def server(
    packages: Sequence[str], *command: str
  ) -> contextlib.AbstractContextManager[load.Server]:
    with_ = [option for package in packages for option in ("--with", package)]
    return load.running(
      [str(_UV), "run", "--no-project", *with_, "--", *command],
      rest_port=int(command[-1]),
      environment={"MODEL_FOLDER": str(folder)},
    )

  def script(name: str, port: int) -> tuple[str, ...]:
    return "python", str(_BASELINES / name), str(folder), str(port)

  ports = load.free_ports(4)
  bento = ["bentoml", "serve", "benchmarks.baselines.bentoml_signature:Signature", "--port"]
  uvicorn = "uvicorn[standard]"
  return {
    "FastAPI": server(["fastapi", uvicorn], *script("fastapi_signature.py", ports[0])),
    "FastAPI, async": server(["fastapi", uvicorn, "orjson"], *script("fastapi_async.py", ports[1])),
    "LitServe": server(["litserve"], *script("litserve_signature.py", ports[2])),
    "BentoML": server(["bentoml"], *bento, str(ports[3])),
  }


def _grpc_baselines(
  folder: pathlib.Path,
) -> dict[str, contextlib.AbstractContextManager[load.Server]]:
  """Returns servers written with gRPC's Python library, by name."""

  def script(name: str, port: int) -> contextlib.AbstractContextManager[load.Server]:
    return load.running([sys.executable, str(_BASELINES / name), str(folder), str(port)], port=port)

  ports = load.free_ports(2)
  return {
    "threads": script("naive_grpc.py", ports[0]),
    "asyncio, one TensorFlow thread": script("aio_grpc.py", ports[1]),
  }


def _print_load(protocol: str, clients: int, found: dict[str, list[load.Load]]) -> None:
  row: dict[str, Any] = {"protocol": protocol, "clients": clients}
  for name, loads in found.items():
    row[name] = {
      "per_second": round(statistics.median(each.per_second for each in loads)),
      "cpu_us": round(statistics.median(each.cpu_us for each in loads)),
      "least_cpu_us": round(min(each.cpu_us for each in loads)),
      "p50_ms": round(statistics.median(each.quantile_ms(0.5) for each in loads), 2),
      "p99_ms": round(statistics.median(each.quantile_ms(0.99) for each in loads), 2),
    }
  for name in list(found)[1:]:
    ours, other = row["ours"], row[name]
    other["ratio_per_second"] = round(ours["per_second"] / other["per_second"], 2)
    other["ratio_cpu"] = round(other["cpu_us"] / ours["cpu_us"], 2)
  print(json.dumps(row), flush=True)


def measure_batching(models: pathlib.Path, options: argparse.Namespace) -> None:
  """Measures single rows from 64 clients, which the server combines into batches."""
  bodies = Bodies("heavy")
  command = [sys.executable, _BASELINES / "in_process.py", models / bodies.model, "1", str(_ROWS)]
  done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=load.REPOSITORY)
  calls = json.loads(done.stdout)
  row_ms = calls[str(_ROWS)] / _ROWS
  parameters = models / "batching"
  parameters.write_text(
    f"max_batch_size {{ value: {_ROWS} }} batch_timeout_micros {{ value: 2000 }}"
    " max_enqueued_batches { value: 100 }"
  )
  flags = ["--enable_batching", f"--batching_parameters_file={parameters}"]
  with load.ours(
    models, bodies.model, *flags, "--rest_api_num_threads=64", "--grpc_max_threads=64"
  ) as server:
    seconds = max(options.seconds, 8.0)
    rest = load.rest_load(server, bodies.model, bodies.rest, clients=64, seconds=seconds)
    grpc = load.grpc_load(server, bodies.grpc, clients=64, seconds=seconds)
  found = {"part": "batching", "call_ms": calls["1"], "row_in_process_ms": round(row_ms, 3)}
  for name, each in (("rest", rest), ("grpc", grpc)):
    found[f"{name}_row_ms"] = round(1000 / each.per_second, 3)
    found[f"{name}_ratio"] = round(1000 / each.per_second / row_ms, 2)
  print(json.dumps(found), flush=True)


def measure_quick(models: pathlib.Path, options: argparse.Namespace) -> None:
  """Measures quick requests beside four long ones, of another model and of the same."""
  endurance.quick(models, Bodies("small"), seconds=max(options.seconds, 8.0))


def measure_overload(models: pathlib.Path, options: argparse.Namespace) -> None:
  """Measures ten times the server's maximum rate."""
  endurance.overload(models, Bodies("heavy"), seconds=max(options.seconds, 8.0))


_PARTS = {
  "load": measure_load,
  "batching": measure_batching,
  "quick": measure_quick,
  "overload": measure_overload,
}

if __name__ == "__main__":
  main()
