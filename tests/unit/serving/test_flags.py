"""Flags: TensorFlow Serving's names, defaults and way to read them."""

import subprocess
import sys

import pytest

from serving.errors import InvalidArgument
from serving.flags import Flags, check, nearest, parse, refuse_misspelt, usage, without_effect


def test_defaults_are_tensorflow_servings_but_for_the_host():
  flags, unknown = parse([])
  assert unknown == []
  assert (flags.port, flags.rest_api_port, flags.rest_api_timeout_in_ms) == (8500, 0, 30000)
  assert (flags.model_name, flags.file_system_poll_wait_seconds) == ("default", 1)
  assert (flags.max_num_load_retries, flags.load_retry_interval_micros) == (5, 60_000_000)
  assert flags.enable_model_warmup is True
  assert flags.enable_batching is False
  assert flags.host == "127.0.0.1"


@pytest.mark.parametrize(
  ("args", "name", "value"),
  [
    (["--port=9"], "port", 9),
    (["--port", "9"], "port", 9),
    (["--port=9", "--port=10"], "port", 10),
    (["--enable_batching"], "enable_batching", True),
    (["--enable_batching=1"], "enable_batching", True),
    (["--enable_model_warmup=false"], "enable_model_warmup", False),
    (["--model_base_path=/a=b"], "model_base_path", "/a=b"),
    (["--model_name="], "model_name", ""),
    (["--request_log_sample=0.5"], "request_log_sample", 0.5),
    (["--file_system_poll_wait_seconds=-1"], "file_system_poll_wait_seconds", -1),
  ],
)
def test_values(args, name, value):
  flags, unknown = parse(args)
  assert getattr(flags, name) == value
  assert unknown == []


def test_a_bool_takes_no_value_from_the_next_argument():
  flags, unknown = parse(["--enable_batching", "false", "-port=3", "--no"])
  assert flags.enable_batching is True
  assert unknown == ["false", "-port=3", "--no"]


@pytest.mark.parametrize(
  ("args", "message"),
  [
    (["--port=x"], "--port takes a value of type int. Received: 'x'."),
    (["--port=1.5"], "--port takes a value of type int. Received: '1.5'."),
    (["--port"], "--port needs a value: --port=..."),
    (["--port", "--enable_batching"], "--port needs a value: --port=..."),
    (["--enable_batching=maybe"], "--enable_batching takes a value of type bool."),
  ],
)
def test_values_of_another_type(args, message):
  with pytest.raises(InvalidArgument) as refused:
    parse(args)
  assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"model_base_path": ""}, "Both server_options.model_base_path and"),
    ({"batching_parameters_file": "f"}, "server_options.batching_parameters_file is set without"),
    ({"rest_api_port": 8500}, "--port and --rest_api_port must differ. Received: 8500 for both."),
    ({"port": 0}, "No port is asked for"),
    ({"monitoring_config_file": "f"}, "--monitoring_config_file needs --rest_api_port."),
    ({"ui": True}, "--ui needs --rest_api_port."),
    ({"max_connections": -1}, "--max_connections must be 0, for no limit, or more."),
    (
      {"request_log_dir": "d", "request_log_keep_days": float("nan")},
      "--request_log_keep_days must be 0, for no limit, or more.",
    ),
    (
      {"max_request_bytes": 200 << 20},
      "--max_bytes_in_flight must be at least twice --max_request_bytes",
    ),
    ({"max_request_bytes": 0}, "--max_bytes_in_flight must be at least twice"),
    ({"use_alts_credentials": True}, "--use_alts_credentials is not supported"),
    ({"platform_config_file": "f"}, "--platform_config_file is not supported"),
    (
      {
        "tensorflow_session_parallelism": 1,
        "tensorflow_intra_op_parallelism": 1,
        "tensorflow_inter_op_parallelism": 1,
      },
      "Set --tensorflow_session_parallelism, or",
    ),
  ],
)
def test_flags_that_cannot_be_together(changes, message):
  check(Flags(model_base_path="/m"))
  with pytest.raises(InvalidArgument) as refused:
    check(Flags(**{"model_base_path": "/m", **changes}))
  assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
  ("argument", "name"),
  [
    ("--auth_token_file=/x", "auth_tokens_file"),
    ("--auth-tokens-file", "auth_tokens_file"),
    ("-auth_tokens_file=/x", "auth_tokens_file"),
    ("auth_tokens_file=/x", "auth_tokens_file"),
    ("--hosts=::1", "host"),
    ("--max_request_byte=9", "max_request_bytes"),
    ("--UI", "ui"),
  ],
)
def test_an_argument_that_is_nearly_a_flag_of_ours_is_refused(argument, name):
  _, unknown = parse(["--port=9", argument])
  with pytest.raises(InvalidArgument) as refused:
    refuse_misspelt(unknown)
  assert str(refused.value) == f"Unknown argument {argument!r}. Did you mean --{name}?"


def test_other_unknown_arguments_are_survived():
  # Among them two that are nearly TensorFlow Serving's, and a stray word.
  refuse_misspelt(["--no_such_flag=1", "--rest_port=1", "-port=3", "--enable_batchin", "host"])


def test_the_nearest_name():
  assert nearest("--rest_port=1") == "rest_api_port"
  assert nearest("--workspce", others=["workspace"]) == "workspace"
  assert nearest("--zzz") is None


def test_limits_can_be_lifted():
  check(Flags(model_base_path="/m", max_request_bytes=0, max_bytes_in_flight=0))
  check(Flags(model_base_path="/m", max_request_bytes=1 << 40, max_bytes_in_flight=0))


def test_flags_that_change_nothing_are_told():
  assert without_effect(Flags()) == []
  assert without_effect(Flags(mixed_precision="bfloat16")) == [
    "--mixed_precision has no effect: models run as they were exported."
  ]


def test_usage_says_which_flags_are_ours():
  lines = usage().splitlines()
  host = lines.index("  --host='127.0.0.1'")
  said = " ".join(line.strip() for line in lines[host + 1 : host + 3])
  assert said.endswith("(not in TensorFlow Serving)")
  assert max(map(len, lines)) <= 80
  assert not lines[lines.index("  --port=8500") + 1].endswith(")")


def test_flags_are_read_without_tensorflow():
  code = (
    "import sys, serving.cli; print(sorted({'tensorflow', 'grpc', 'numpy'} & set(sys.modules)))"
  )
  ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert ran.stdout == "[]\n"
