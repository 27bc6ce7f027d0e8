"""`dlpipe` itself: help, suggestions and exit codes, before anything heavy is imported."""

import gc
import importlib
import pathlib
import signal
import subprocess
import sys
import tempfile

import click
import pytest
from click.testing import CliRunner

from dlpipe.errors import BadInputError, DataRefusedError, DlpipeError, ModelRefusedError
from pipeline.cli import main as main_module
from pipeline.cli.main import cli, main

_ROOT = pathlib.Path(__file__).resolve().parents[4]


@pytest.fixture(autouse=True)
def _no_tensorflow(monkeypatch):
  """Other tests import it into this process, which would then end at once."""
  monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


def _all_commands():
  return cli.list_commands(click.Context(cli))


def test_help_lists_every_command_and_imports_nothing_heavy(command):
  done = command("--help")
  assert done.code == 0
  assert done.stderr == ""
  assert done.heavy == []
  listed = [line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line]
  assert listed == _all_commands()
  assert {"run", "check", "predict", "rollback", "doctor"} <= set(listed)


def _with_subcommands():
  for name in _all_commands():
    found = cli.get_command(click.Context(cli), name)
    yield (name,)
    if isinstance(found, click.Group):
      yield from ((name, each) for each in found.list_commands(click.Context(found)))


def test_no_line_of_help_is_wider_than_80_columns():
  wide = {}
  for words in _with_subcommands():
    help_ = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80).output
    assert help_.startswith("Usage:"), words
    wide[words] = [line for line in help_.splitlines() if len(line) > 80]
  assert {words: lines for words, lines in wide.items() if lines} == {}


@pytest.mark.parametrize(
  ("arguments", "option"),
  [
    (("check", "sentiment", "--data", "a.csv", "--data", "b.csv"), "--data"),
    (("check", "sentiment", "--config=a.yaml", "--config=a.yaml"), "--config"),
    (("batch", "images", "--input", "a", "--output", "b.csv", "--input", "c"), "--input"),
    (("runs", "rows", "latest", "--where", "right", "--where", "score > 1"), "--where"),
    (("log", "pick", "images", "-o", "a.csv", "--output", "b.csv"), "--output"),
    (("serve", "images", "--port=1", "--workspace", "a", "--workspace=b"), "--workspace"),
  ],
)
def test_an_option_that_holds_once_is_given_once(arguments, option):
  done = CliRunner().invoke(cli, arguments)
  assert done.exit_code == 2
  assert f"Error: {option} is given 2 times, and only one of them would hold." in done.stderr


def test_options_that_hold_each_time_and_flags_may_be_repeated():
  done = CliRunner().invoke(
    cli, ["settings", "images", "--tiny", "--tiny", "--set", "train.seed=2", "--set=train.seed=3"]
  )
  assert done.exit_code == 0
  assert "seed = 3" in done.stdout


def test_help_names_the_tasks(command):
  assert "Tasks:\n  images, sentiment, translation\n" in command("--help").stdout


@pytest.mark.parametrize("name", _all_commands())
def test_each_commands_help_imports_nothing_heavy(command, name):
  done = command(name, "--help")
  assert done.code == 0
  assert done.stdout.startswith(f"Usage: dlpipe {name} ")
  assert done.heavy == []


@pytest.mark.parametrize("name", _all_commands())
def test_each_command_is_called_what_it_is_listed_as(name):
  found = cli.get_command(click.Context(cli), name)
  assert isinstance(found, click.Command)
  assert found.name == name
  # A command's own short help and its line in the list of all must not drift apart.
  listed = main_module._COMMANDS[name]
  assert found.get_short_help_str(limit=100) == listed


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ("rnu", "No such command 'rnu'. Did you mean 'run'? Commands: run, check,"),
    ("predcit", "Did you mean 'predict'?"),
    ("zzz", "No such command 'zzz'. Commands: run, check,"),
  ],
)
def test_an_unknown_command_is_misuse_and_suggests_the_nearest(command, given, message):
  done = command(given)
  assert done.code == 2
  assert message in done.stderr
  assert done.stdout == ""
  assert done.heavy == []


@pytest.mark.parametrize(
  ("error", "code"),
  [
    (DlpipeError("broken"), 1),
    (BadInputError("broken"), 2),
    (DataRefusedError("broken"), 3),
    (ModelRefusedError("broken"), 4),
  ],
)
def test_an_error_of_ours_is_one_message_and_its_exit_code(monkeypatch, capsys, error, code):
  _replace_doctor(monkeypatch, error)
  with pytest.raises(SystemExit) as ended:
    main(["doctor"])
  assert ended.value.code == code
  assert capsys.readouterr() == ("", "Error: broken\n")


def test_an_interrupt_ends_as_shells_have_it(monkeypatch, capsys):
  _replace_doctor(monkeypatch, KeyboardInterrupt())
  with pytest.raises(SystemExit) as ended:
    main(["doctor"])
  assert ended.value.code == 130
  assert "Run the command again to go on from here." in capsys.readouterr().err


def test_commands_do_not_look_for_garbage_all_the_time_while_they_import(monkeypatch):
  seen = []
  # By its own thresholds Python does so about every 700 objects, and TFX has 800,000.
  monkeypatch.setattr(gc, "set_threshold", lambda first, *_: seen.append(first))
  _replace_doctor(monkeypatch, KeyboardInterrupt())
  with pytest.raises(SystemExit):
    main(["doctor"])
  assert seen
  assert min(seen) >= 10_000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_on_its_way_out_and_with_a_message(number, code):
  script = """
import importlib, signal, sys, time
import click
from pipeline.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)

@click.command()
def doctor():
  try:
    print("ready", flush=True)
    time.sleep(600)
  finally:
    print("cleaned up", flush=True)

importlib.import_module("pipeline.cli.commands.doctor").doctor = doctor
main(["doctor"])
"""
  with subprocess.Popen(
    [sys.executable, "-c", script],
    env={"PYTHONPATH": str(_ROOT)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  ) as process:
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=600)
  assert process.returncode == code
  assert stdout == "cleaned up\n"
  assert "Run the command again to go on from here." in stderr
  assert ("SIGTERM" in stderr) == (number == signal.SIGTERM)


@pytest.mark.parametrize(
  ("error", "code", "message"),
  [
    ("KeyboardInterrupt()", 130, "\nInterrupted. Run the command again to go on from here.\n"),
    ("DlpipeError('broken')", 1, "Error: broken\n"),
    ("BadInputError('broken')", 2, "Error: broken\n"),
  ],
)
@pytest.mark.parametrize("is_imported", [True, False])
def test_the_teardown_of_tensorflow_says_nothing_after_the_message(
  error, code, message, is_imported
):
  script = f"""
import atexit, importlib, logging, sys, types
import click
from dlpipe.errors import BadInputError, DlpipeError
from pipeline.cli.main import main

@click.command()
def doctor():
  sys.stdout.write("written before")
  raise {error}

importlib.import_module("pipeline.cli.commands.doctor").doctor = doctor
if {is_imported}:
  sys.modules["tensorflow"] = types.ModuleType("tensorflow")
atexit.register(sys.stderr.write, "teardown")
main(["doctor"])
"""
  done = subprocess.run(
    [sys.executable, "-c", script],
    env={"PYTHONPATH": str(_ROOT)},
    capture_output=True,
    text=True,
    timeout=600,
    check=False,
  )
  assert done.returncode == code
  assert done.stdout == "written before"
  assert done.stderr == message + ("" if is_imported else "teardown")


def test_a_bug_is_one_message_and_its_traceback_is_kept(monkeypatch, capsys, tmp_path):
  monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
  _replace_doctor(monkeypatch, ZeroDivisionError("a bug"))
  with pytest.raises(SystemExit) as ended:
    main(["doctor"])
  assert ended.value.code == 1
  [kept] = tmp_path.iterdir()
  assert capsys.readouterr() == (
    "",
    f"Error: ZeroDivisionError: a bug\nThis was not foreseen; the traceback is in {kept}\n",
  )
  assert "ZeroDivisionError: a bug" in kept.read_text()
  assert "in doctor" in kept.read_text()


def test_a_command_that_returns_ends_well(monkeypatch):
  _replace_doctor(monkeypatch, None)
  with pytest.raises(SystemExit) as ended:
    main(["doctor"])
  assert ended.value.code == 0


def _replace_doctor(monkeypatch, error):
  @click.command()
  def doctor():
    if error is not None:
      raise error

  module = importlib.import_module("pipeline.cli.commands.doctor")
  monkeypatch.setattr(module, "doctor", doctor)
