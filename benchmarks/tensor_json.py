"""Measures the CPU time of REST's JSON: request bodies to arrays, arrays to response bodies.

    python benchmarks/tensor_json.py

Prints CPU milliseconds, the minimum of many tries, beside Python's own `json` with `np.array` and
`tolist`, which check nothing and write numbers differently.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from serving.tensor_json import parse_predict, to_inputs, write_predict

_FLOAT, _STRING = 1, 7


class _Info(NamedTuple):
  dtype: int


def _least_ms(function: Callable[[], Any], tries: int) -> float:
  least = float("inf")
  for _ in range(tries):
    started = time.process_time()
    function()
    least = min(least, time.process_time() - started)
  return least * 1000


def _requests(random: np.random.Generator) -> dict[str, tuple[bytes, int]]:
  found = {}
  for rows in (1, 32):
    body = json.dumps({"instances": random.random((rows, 784)).astype(np.float32).tolist()})
    found[f"request, [{rows}, 784] floats"] = body.encode(), _FLOAT
    plain = body.replace("]]}", ", NaN]]}", 1) if rows == 1 else None
    if plain:
      found["request, [1, 785] floats, one of them NaN"] = plain.encode(), _FLOAT
  texts = {"instances": ["a sentence of some length: it is read as it stands"] * 32}
  found["request, 32 texts"] = json.dumps(texts).encode(), _STRING
  picture = {"instances": [{"b64": "A" * 100_000}] * 8}
  found["request, 8 pictures of 75 kB in base64"] = json.dumps(picture).encode(), _STRING
  return found


def _responses(random: np.random.Generator) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
  scores = random.random((32, 1000)).astype(np.float32) ** 8
  labels = np.array([[b"a label"] * 10] * 32, dtype=object)
  return {
    "response, [1, 10] floats": {"scores": scores[:1, :10]},
    "response, [32, 10] floats and strings": {"scores": scores[:, :10], "labels": labels},
    "response, [32, 1000] floats": {"scores": scores},
    "response, [32, 1000] doubles": {"scores": scores.astype(np.float64)},
    "response, [32, 1000] int64": {"ids": (scores * 1e9).astype(np.int64)},
  }


def _plain_response(outputs: dict[str, np.ndarray[Any, Any]]) -> bytes:
  columns = {
    name: array.astype(str).tolist() if array.dtype == object else array.tolist()
    for name, array in outputs.items()
  }
  return json.dumps({"outputs": columns}).encode()


def main() -> None:
  """Measures and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--tries", type=int, default=50)
  tries = parser.parse_args().tries
  random = np.random.default_rng(0)
  print("| what | size, kB | tensor_json, ms | json, ms |\n|---|---|---|---|")
  for name, (body, dtype) in _requests(random).items():
    ours = _least_ms(lambda: to_inputs(parse_predict(body), {"x": _Info(dtype)}), tries)  # noqa: B023
    plain = _least_ms(lambda: np.array(json.loads(body)["instances"]), tries)  # noqa: B023
    print(f"| {name} | {len(body) / 1000:.1f} | {ours:.3f} | {plain:.3f} |")
  for name, outputs in _responses(random).items():
    ours = _least_ms(lambda: write_predict(outputs, row=True), tries)  # noqa: B023
    plain = _least_ms(lambda: _plain_response(outputs), tries)  # noqa: B023
    size = len(write_predict(outputs, row=True))
    print(f"| {name} | {size / 1000:.1f} | {ours:.3f} | {plain:.3f} |")


if __name__ == "__main__":
  main()
