"""`dlpipe predict --endpoint`: a real server of a small model, over both protocols."""

import json
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from click.testing import CliRunner

from dlpipe.errors import BadInputError, DlpipeError
from pipeline.cli.commands.predict import predict
from serving import flags
from serving.server import ModelServer

_ROOT = pathlib.Path(__file__).parents[4]


class Shout(tf.Module):
  """`text` in capitals, and its length; refuses what is not UTF-8."""

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
  def __call__(self, text):
    length = tf.strings.length(text, unit="UTF8_CHAR")
    with tf.control_dependencies([tf.debugging.assert_less(length, 20, "too long a text")]):
      return {"label": tf.strings.upper(text), "score": tf.cast(length, tf.float32) / 8}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
  def explain(self, text):
    tokens = tf.strings.split(text).to_tensor("")
    parts = tf.cast(tf.strings.length(tokens), tf.float32) - 3.0
    parts = tf.where(tokens == "", 0.0, parts)
    total = tf.reduce_sum(parts, axis=1)
    return {
      "tokens": tokens,
      "contributions": parts,
      "explained": total + 0.5,
      "intercept": tf.fill(tf.shape(text), 0.5),
      "unexplained": tf.zeros_like(total),
      "label": tf.strings.upper(text),
    }


@pytest.fixture(scope="module")
def endpoints(free_ports, tmp_path_factory):
  """URLs of a server with version 4 of a model `sentiment`, by scheme."""
  base = tmp_path_factory.mktemp("base")
  module = Shout()
  signatures = {"serving_default": module.__call__, "explain": module.explain}
  tf.saved_model.save(module, str(base / "4"), signatures=signatures)
  rpc, rest = free_ports(2)
  found, _ = flags.parse([
    f"--port={rpc}", f"--rest_api_port={rest}", "--model_name=sentiment",
    f"--model_base_path={base}",
  ])  # fmt: skip
  server = ModelServer(found)
  server.start()
  yield {"http": f"http://127.0.0.1:{rest}", "grpc": f"grpc://127.0.0.1:{rpc}"}
  server.stop()


@pytest.fixture(params=["http", "grpc"])
def endpoint(request, endpoints):
  return endpoints[request.param]


def _run(*arguments):
  return CliRunner().invoke(predict, ["sentiment", *map(str, arguments)])


def test_answers_of_the_server(endpoint):
  done = _run("well made", "no", "--endpoint", endpoint, "--json")
  assert done.exit_code == 0, done.output
  assert json.loads(done.stdout) == {
    "task": "sentiment",
    "version": 4,
    "predictions": [
      {"input": "well made", "label": "WELL MADE", "score": 1.125},
      {"input": "no", "label": "NO", "score": 0.25},
    ],
  }


def test_the_screen(endpoint):
  done = _run("no", "--endpoint", endpoint)
  assert done.output == "sentiment, version 4:\n  no: label NO, score 0.2500\n"


def test_why_is_answered_for_each_input_without_padding(endpoint):
  done = _run("so well made", "no", "--endpoint", endpoint, "--why", "--json")
  assert done.exit_code == 0, done.output
  first, second = json.loads(done.stdout)["predictions"]
  assert first["why"]["tokens"] == ["so", "well", "made"]
  assert first["why"]["contributions"] == [-1, 1, 1]
  assert second == {
    "input": "no",
    "label": "NO",
    "score": 0.25,
    "why": {
      "label": "NO",
      "tokens": ["no"],
      "contributions": [-1],
      "explained": -0.5,
      "intercept": 0.5,
      "unexplained": 0,
    },
  }


def test_why_on_the_screen(endpoint):
  done = _run("so well made", "--endpoint", endpoint, "--why")
  assert done.output == (
    "sentiment, version 4:\n"
    "  so well made: label SO WELL MADE, score 1.5000\n"
    "    why SO WELL MADE: 1.500, of which words 1.000 and the start 0.500\n"
    "    for:     well +1.000, made +1.000\n"
    "    against: so -1.000\n"
  )


def test_what_the_model_refuses_costs_no_other_its_answer(endpoint):
  done = _run("good", "x" * 30, "bad", "--endpoint", endpoint, "--json")
  assert isinstance(done.exception, DlpipeError)
  assert str(done.exception) == "The model could not answer 1 of 3 inputs."
  rows = json.loads(done.stdout)["predictions"]
  assert [row.get("label") for row in rows] == ["GOOD", None, "BAD"]
  assert "too long a text" in rows[1]["error"]


def test_neither_a_workspace_nor_tensorflow_is_needed(endpoints, tmp_path):
  code = (
    "import sys\n"
    "from click.testing import CliRunner\n"
    "from pipeline.cli.commands.predict import predict\n"
    "done = CliRunner().invoke(predict, sys.argv[1:])\n"
    "print(done.output, sorted({'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules)))\n"
  )
  for url in endpoints.values():
    arguments = ["sentiment", "no", "--endpoint", url, "--workspace", str(tmp_path / "none")]
    ran = subprocess.run(
      [sys.executable, "-c", code, *arguments], cwd=_ROOT, capture_output=True, text=True
    )
    assert ran.stdout == "sentiment, version 4:\n  no: label NO, score 0.2500\n []\n", ran.stderr


def _refusal(*arguments):
  done = _run("text", *arguments)
  assert isinstance(done.exception, DlpipeError), done.output
  return type(done.exception), str(done.exception)


def test_no_server(free_ports):
  [port] = free_ports(1)
  for scheme in ("http", "grpc"):
    kind, message = _refusal("--endpoint", f"{scheme}://127.0.0.1:{port}", "--timeout", "0.5")
    assert kind is DlpipeError
    assert message.startswith(f"The server at {scheme}://127.0.0.1:{port} did not answer: ")


def test_another_model(endpoint):
  done = CliRunner().invoke(predict, ["translation", "text", "--endpoint", endpoint])
  assert str(done.exception).startswith(
    f"The server at {endpoint} has no model 'translation' that answers: Servable not found"
  )


@pytest.mark.parametrize("url", ["localhost:8501", "ftp://a:1"])
def test_an_endpoint_that_is_none(url):
  kind, message = _refusal("--endpoint", url)
  assert kind is BadInputError
  assert message.startswith("Expected an endpoint like http://host:8501")


def test_files_that_are_none(tmp_path):
  (tmp_path / "two").write_text("one two")
  for content in ("none", "two"):
    kind, message = _refusal("--endpoint", "http://a:1", "--token-file", tmp_path / content)
    assert kind is BadInputError
    assert message.startswith("--token-file takes a file with ")
  kind, message = _refusal("--endpoint", "https://a:1", "--ca-file", tmp_path / "none")
  assert kind is BadInputError
  assert message.startswith("`ca_path` must be a PEM file.")


def test_options_of_a_server_need_a_server():
  kind, message = _refusal("--token-file", "token")
  assert (kind, message) == (
    BadInputError,
    "--token-file and --ca-file are for a server: give --endpoint, too.",
  )
