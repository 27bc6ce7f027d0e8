"""`dlpipe serve`: what TASK stands for, and misuse; the server itself has tests of its own."""

import pytest

from pipeline.cli.commands import serve as module
from pipeline.cli.main import cli


@pytest.fixture
def given(monkeypatch):
  """The arguments that the server is started with."""
  found = []
  monkeypatch.setattr("serving.cli.run", found.extend)
  return found


def _serve(*args):
  cli.main(["serve", *args], standalone_mode=False)


def test_a_task_stands_for_its_pushed_versions_and_flags_come_after(given, tmp_path):
  (tmp_path / "images" / "serving" / "1").mkdir(parents=True)
  (tmp_path / "images" / "serving" / "1" / "saved_model.pb").write_bytes(b"")
  _serve("images", "--port=9", "--workspace", str(tmp_path), "--enable_batching")
  assert given == [
    "--model_name=images",
    f"--model_base_path={tmp_path / 'images' / 'serving'}",
    f"--rest_api_port={module._REST_PORT}",
    "--port=9",
    "--enable_batching",
  ]


def test_without_a_task_the_flags_are_handed_on_as_they_are(given):
  _serve("--model_name", "m", "--model_base_path=/m", "--no_such_flag")
  assert given == ["--model_name", "m", "--model_base_path=/m", "--no_such_flag"]


@pytest.mark.parametrize("args", [("images", "--ui"), ("--ui", "images")])
def test_the_page_is_asked_for_before_or_after_the_task(given, tmp_path, args):
  (tmp_path / "images" / "serving" / "1").mkdir(parents=True)
  (tmp_path / "images" / "serving" / "1" / "saved_model.pb").write_bytes(b"")
  _serve(*args, "--workspace", str(tmp_path))
  assert given[0] == "--model_name=images"
  assert given[3:] == ["--ui"]


def test_a_newest_version_that_holds_no_model_is_told_before_tensorflow_is_loaded(
  command, tmp_path
):
  for number in ("1", "2"):
    (tmp_path / "images" / "serving" / number).mkdir(parents=True)
  (tmp_path / "images" / "serving" / "1" / "saved_model.pb").write_bytes(b"")
  done = command("serve", "images", "--workspace", str(tmp_path))
  assert done.code == 2
  assert "Version 2 in " in done.stderr
  assert f"`dlpipe rollback images --to 1 --workspace {tmp_path}`" in done.stderr
  assert "tensorflow" not in done.heavy


def test_help_lists_the_servers_flags(command):
  done = command("serve", "--help")
  assert done.code == 0
  assert "--model_config_file=''" in done.stdout
  assert "--rest_api_port=0" in done.stdout
  assert "dlpipe serve TASK --ui" in done.stdout


def test_nothing_is_pushed(command, tmp_path):
  done = command("serve", "images", "--workspace", str(tmp_path))
  assert done.code == 2
  assert (
    f"No model is pushed in '{tmp_path}/images/serving'. Run `dlpipe run images`" in done.stderr
  )
  assert "tensorflow" not in done.heavy


@pytest.mark.parametrize(
  ("argument", "message"),
  [
    ("--auth_token_file=/x", "Unknown argument '--auth_token_file=/x'. Did you mean --auth_tok"),
    ("--rest_port=1", "Unknown argument '--rest_port=1'. Did you mean --rest_api_port?"),
    ("--workspce", "Unknown argument '--workspce'. Did you mean --workspace?"),
    ("--zzz", "Unknown argument '--zzz'. `dlpipe serve --help` lists the flags."),
    ("false", "Unknown argument 'false'. `dlpipe serve --help` lists the flags."),
    (
      "--ssl_config_file=/absent",
      "--ssl_config_file: there is no file '/absent' that can be read.",
    ),
    ("--model_config_file=x", "--model_config_file says which models to serve, and so does TASK."),
    ("--batching_parameters_file=x", "server_options.batching_parameters_file is set without"),
    ("--rest_api_port=8500", "--port and --rest_api_port must differ."),
    ("--port=x", "--port takes a value of type int. Received: 'x'."),
  ],
)
def test_beside_a_task_a_wrong_argument_is_misuse(command, tmp_path, argument, message):
  (tmp_path / "workspace" / "images" / "serving" / "1").mkdir(parents=True)
  done = command("serve", "images", argument)
  assert done.code == 2
  assert done.stderr.startswith(f"Error: {message}")
  assert len(done.stderr.splitlines()) == 1
  assert "tensorflow" not in done.heavy


def test_an_unknown_task(command):
  done = command("serve", "imges")
  assert done.code == 2
  assert "Did you mean 'images'?" in done.stderr
