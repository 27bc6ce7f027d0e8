"""Flags, and what keeps a server from starting."""

import shutil
import socket
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import ServingError


def _run(*flags):
  """Exit code and output of a server that does not start."""
  done = subprocess.run(
    [sys.executable, "-m", "serving", *map(str, flags)], capture_output=True, text=True, timeout=600
  )
  return done.returncode, done.stdout


def _refusal(start, *flags):
  """What a server in this process says instead of starting."""
  with pytest.raises(ServingError) as refused:
    start(*flags)
  return f"{refused.value.grpc_code}: {refused.value}"


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (
      [],
      (
        "INVALID_ARGUMENT: Both server_options.model_base_path and "
        "server_options.model_config_file are empty!"
      ),
    ),
    (["--model_base_path=/m", "--use_alts_credentials"], "INVALID_ARGUMENT: --use_alts_credent"),
  ],
)
def test_flags_that_cannot_be_are_told_without_loading_tensorflow(flags, message):
  code, output = _run(*flags)
  assert code == 255
  assert output.startswith(f"Failed to start server. Error: {message}")


def test_a_value_of_another_type_shows_all_flags():
  code, output = _run("--port=x")
  assert code == 255
  assert output.startswith(
    "--port takes a value of type int. Received: 'x'.\nFlags:\n  --port=8500"
  )


def test_a_model_that_cannot_be_loaded_ends_the_process(tmp_path, free_ports):
  (tmp_path / "1").mkdir()
  (port,) = free_ports(1)
  code, output = _run(f"--port={port}", f"--model_base_path={tmp_path}", "--max_num_load_retries=0")
  assert code == 255
  assert output == (
    "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
    "{{name: default version: 1} due to error: NOT_FOUND: Could not find SavedModel .pb or .pbtxt "
    f"at supplied export directory path: {tmp_path}/1. Check that the directory exists and that "
    "you have the right permissions for accessing it.}, }\n"
  )


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--model_config_file={tmp}/f"], "NOT_FOUND: {tmp}/f; No such file or directory"),
    (
      ["--model_config_file={tmp}/words"],
      (
        "INVALID_ARGUMENT: Invalid protobuf file: '{tmp}/words'. Error parsing text-format "
        "tensorflow.serving.ModelServerConfig: 1:1"
      ),
    ),
    (
      ["--model_base_path=some/path"],
      (
        "INVALID_ARGUMENT: Expected model default to have an absolute path or URI; got "
        "base_path()=some/path"
      ),
    ),
    (
      ["--model_base_path={tmp}", "--ssl_config_file={tmp}/empty"],
      "INVALID_ARGUMENT: {tmp}/empty needs server_key and server_cert.",
    ),
    (
      ["--model_base_path={tmp}", "--auth_tokens_file={tmp}/empty"],
      "INVALID_ARGUMENT: {tmp}/empty holds no token.",
    ),
    (
      ["--model_base_path={tmp}", "--enable_batching", "--batching_parameters_file={tmp}/sizes"],
      (
        "INVALID_ARGUMENT: Last entry in allowed_batch_sizes must match max_batch_size; last entry "
        "was 6; expected 8"
      ),
    ),
    (
      ["--model_base_path={tmp}", "--batching_parameters_file={tmp}/sizes"],
      (
        "INVALID_ARGUMENT: server_options.batching_parameters_file is set without setting "
        "server_options.enable_batching to true."
      ),
    ),
  ],
)
def test_files_that_cannot_be_used(start, tmp_path, flags, message):
  (tmp_path / "empty").write_text("")
  (tmp_path / "words").write_text("? no message")
  (tmp_path / "sizes").write_text("max_batch_size { value: 8 } allowed_batch_sizes: [4, 6]")
  found = _refusal(start, *(flag.replace("{tmp}", str(tmp_path)) for flag in flags))
  assert found.startswith(message.replace("{tmp}", str(tmp_path)))


def test_version():
  code, output = _run("--version")
  assert code == 0
  assert output.startswith("TensorFlow ModelServer: ")
  assert f"TensorFlow Library: {tf.__version__}\n" in output


def test_an_unknown_flag_is_reported_and_survived():
  code, output = _run("--no_such_flag=1", "--version")
  assert code == 0
  assert output.startswith("unknown argument: --no_such_flag=1\nFlags:\n")
  assert "TensorFlow ModelServer" in output


def test_a_flag_that_is_nearly_one_of_ours_opens_nothing(models, free_ports):
  (port,) = free_ports(1)
  code, output = _run(
    f"--port={port}", f"--model_base_path={models / 'half_plus'}", "--auth_token_file=/x"
  )
  assert code == 255
  assert output.startswith(
    "Unknown argument '--auth_token_file=/x'. Did you mean --auth_tokens_file?\nFlags:\n"
  )


def test_a_warmup_request_that_fails_keeps_the_version_away(start, models, tmp_path):
  log = prediction_log_pb2.PredictionLog()
  log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto([["text"]]))
  shutil.copytree(models / "half_plus" / "1", tmp_path / "1")
  file = tmp_path / "1" / "assets.extra" / "tf_serving_warmup_requests"
  file.parent.mkdir()
  with tf.io.TFRecordWriter(str(file)) as writer:
    writer.write(log.SerializeToString())
  found = _refusal(start, f"--model_base_path={tmp_path}")
  assert "INVALID_ARGUMENT: Expects arg[0] to be float but string is provided" in found
  start(f"--model_base_path={tmp_path}", "--enable_model_warmup=false")
  file.write_bytes(b"no TFRecord file")
  found = _refusal(start, f"--model_base_path={tmp_path}")
  assert ". Please verify your warmup data is in TFRecord format." in found


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_port_that_is_taken(start, models, flag):
  with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    found = _refusal(start, f"--model_base_path={models / 'half_plus'}", f"{flag}={port}")
  assert found.startswith(f"UNAVAILABLE: Cannot listen on 127.0.0.1:{port}")
