"""Measures a replay of logged requests beside the throughput of the server that logged them.

    python benchmarks/replay.py [--rows 10000] [--rounds 3] [--seconds 3]

A server with two versions of a small text model logs every request. Then, in turn and on the same
cores, h2load asks it for single rows at 16 clients, which is its throughput, and `dlpipe replay`
sends all logged requests through both versions, in process and over the server. A replay counts in
requests per second, each answered twice. The flips are held to a direct comparison of the models.

Needs `h2load` (Debian, Ubuntu: nghttp2-client). Only ratios mean anything.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent import futures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import load
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from components.versioned_pusher.publish import publish
from dlpipe_client import connect

_TASK, _CLIENTS, _BATCH = "sentiment", 16, 512
_WORDS, _UNITS = 20_000, 32


def main() -> None:
  """Measures; prints a JSON line for each figure."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rows", type=int, default=10_000)
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
  options = parser.parse_args()
  load.h2load_path()
  with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
    place = pathlib.Path(scratch)
    _measure(place, options)


def _measure(place: pathlib.Path, options: argparse.Namespace) -> None:
  serving = place / _TASK / "serving"
  models = [_model(place / str(seed), seed) for seed in (1, 2)]
  for model in models:
    publish(model, serving)
  config = place / "models.config"
  config.write_text(
    f'model_config_list {{ config {{ name: "{_TASK}" base_path: "{serving}" '
    'model_platform: "tensorflow" model_version_policy { all {} } } }'
  )
  port, rest_port = load.free_ports(2)
  command = [
    *(sys.executable, "-m", "serving", f"--model_config_file={config}", f"--port={port}"),
    *(f"--rest_api_port={rest_port}", f"--request_log_dir={place / 'log'}"),
    "--request_log_sample=1",
  ]
  texts = list(_texts(options.rows))
  with load.running(command, port=port, rest_port=rest_port) as server:
    _log_all(f"grpc://127.0.0.1:{port}", texts)
    expected = _direct_flips(models, texts)
  # The load below is not logged.
  with load.running(command[:-2], port=port, rest_port=rest_port) as server:
    message = _message(texts[0])
    body = json.dumps({"instances": texts[:1]}).encode()
    ways = {
      "in process": [],
      "over gRPC": [f"--endpoint=grpc://127.0.0.1:{port}"],
      "over REST": [f"--endpoint=http://127.0.0.1:{rest_port}"],
    }
    rates: dict[str, list[float]] = {}
    for _ in range(options.rounds):
      for name, found in (
        (
          "server, gRPC",
          load.grpc_load(server, message, clients=_CLIENTS, seconds=options.seconds),
        ),
        (
          "server, REST",
          load.rest_load(server, _TASK, body, clients=_CLIENTS, seconds=options.seconds),
        ),
      ):
        rates.setdefault(name, []).append(found.per_second)
      for name, more in ways.items():
        seconds, flips = _replayed(place, more)
        if flips != expected:
          raise RuntimeError(f"{name}: {len(flips)} flips; a direct comparison {len(expected)}")
        rates.setdefault(f"replay {name}", []).append(options.rows / seconds)
  middle = {name: statistics.median(found) for name, found in rates.items()}
  for name, rate in middle.items():
    print(
      json.dumps(
        {
          "part": name,
          "requests_per_s": round(rate),
          "of_grpc": round(rate / middle["server, gRPC"], 2),
          "of_rest": round(rate / middle["server, REST"], 2),
        }
      )
    )
  print(json.dumps({"part": "flips", "rows": options.rows, "flips": len(expected)}))


def _model(path: pathlib.Path, seed: int) -> pathlib.Path:
  """Saves a bag of words with two layers, of random weights."""
  rng = np.random.default_rng(7)  # both models are near to each other
  base = rng.normal(size=(_WORDS, _UNITS)).astype(np.float32)
  noise = np.random.default_rng(seed).normal(size=base.shape).astype(np.float32)
  module = tf.Module()
  module.table = tf.Variable(base + 0.1 * noise)
  module.out = tf.Variable(rng.normal(size=(_UNITS, 2)).astype(np.float32))

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
  def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
    words = tf.strings.to_hash_bucket_fast(tf.strings.split(text).to_tensor(""), _WORDS)
    hidden = tf.nn.relu(tf.reduce_mean(tf.nn.embedding_lookup(module.table, words), axis=1))
    scores = tf.nn.softmax(hidden @ module.out)
    labels = tf.gather(tf.constant(["neg", "pos"]), tf.argmax(scores, axis=1))
    return {"label": labels, "score": tf.reduce_max(scores, axis=1), "scores": scores}

  module.answer = answer
  tf.saved_model.save(module, str(path), signatures={"serving_default": answer})
  return path


def _texts(count: int) -> Iterator[str]:
  rng = np.random.default_rng(3)
  for number in range(count):
    words = rng.integers(0, 5000, 20)
    yield " ".join([f"row{number}", *(f"word{word}" for word in words)])


def _message(text: str) -> bytes:
  request = predict_pb2.PredictRequest()
  request.model_spec.name = _TASK
  request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
  return request.SerializeToString()


def _log_all(endpoint: str, texts: list[str]) -> None:
  """Asks for each text once, from several threads; the server logs each request."""
  with connect(endpoint, _TASK) as client, futures.ThreadPoolExecutor(_CLIENTS) as threads:
    list(threads.map(lambda text: client.predict([text]), texts))


def _direct_flips(models: list[pathlib.Path], texts: list[str]) -> set[str]:
  """Returns the texts to which the two models give different labels."""
  answers = []
  for model in models:
    answer = tf.saved_model.load(str(model)).signatures["serving_default"]
    answers.append(
      [
        label
        for start in range(0, len(texts), _BATCH)
        for label in answer(text=tf.constant(texts[start : start + _BATCH]))["label"].numpy()
      ]
    )
  return {text for text, *pair in zip(texts, *answers, strict=True) if pair[0] != pair[1]}


def _replayed(place: pathlib.Path, more: list[str]) -> tuple[float, set[str]]:
  """Replays; returns the seconds of the comparison, and the texts that flip."""
  done = subprocess.run(
    [
      *(sys.executable, __file__, "--worker", str(place), *more),
    ],
    check=True,
    capture_output=True,
    text=True,
  )
  found = json.loads(done.stdout.splitlines()[-1])
  return found["seconds"], set(found["flips"])


def _worker(place: str, more: list[str]) -> None:
  """Replays in a process that has loaded what it needs, as one that replays all day has."""
  from pipeline.api.operations import replaying
  from pipeline.cli.operations.replay import servers
  from pipeline.tasks import get_task

  task = get_task(_TASK)
  endpoint = more[0].removeprefix("--endpoint=") if more else None
  connected = servers(task, endpoint, endpoint, None, None) if endpoint else None
  given = {"workspace": place, "log": f"{place}/log", "connect": connected, "tell": print}
  replaying.replay(task, candidate=2, against=1, count=100, **given)
  start = time.perf_counter()
  done = replaying.replay(task, candidate=2, against=1, **given)
  seconds = time.perf_counter() - start
  flips = [(flip.value or b"").decode() for flip in done.found.flips]
  print(json.dumps({"seconds": seconds, "flips": flips}))


if __name__ == "__main__":
  if sys.argv[1:2] == ["--worker"]:
    _worker(sys.argv[2], sys.argv[3:])
  else:
    main()
