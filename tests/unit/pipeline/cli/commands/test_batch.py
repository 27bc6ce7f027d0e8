"""`dlpipe batch` in a process of its own: exit codes, output, refusals, and what a kill leaves."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from dlpipe.errors import BadInputError
from pipeline.cli.commands.batch import batch

_ROOT = pathlib.Path(__file__).resolve().parents[5]
# Slow enough to be caught at work.
_TASK = """
import dataclasses
import time

from pipeline.params import DataOptions
from pipeline.tasks.sentiment.task import TASK as SENTIMENT


def value(text):
  time.sleep(0.0002)
  return text


TASK = dataclasses.replace(
  SENTIMENT,
  name="toy",
  input=dataclasses.replace(SENTIMENT.input, value=value),
  data_options=DataOptions,
)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
  import tensorflow as tf

  module = tf.Module()

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
  def answer(text):
    fine = tf.debugging.assert_none_equal(text, "boom", message="boom is no text")
    with tf.control_dependencies([fine]):
      return {"label": tf.strings.upper(text)}

  module.answer = answer
  path = tmp_path_factory.mktemp("model") / "1"
  tf.saved_model.save(module, str(path), signatures={"serving_default": answer})
  return path


# A shell's background job, which CI may be, starts with interrupts ignored.
_MAIN = (
  "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
  "from pipeline.cli.main import main; main()"
)


@pytest.fixture
def dlpipe(tmp_path, model):
  """Returns a function that starts `dlpipe batch toy` in `tmp_path`."""
  (tmp_path / "tasks" / "toy").mkdir(parents=True)
  (tmp_path / "tasks" / "toy" / "task.py").write_text(_TASK, encoding="utf-8")
  for version in ("2", "10"):
    (tmp_path / "workspace" / "toy" / "serving").mkdir(parents=True, exist_ok=True)
    (tmp_path / "workspace" / "toy" / "serving" / version).symlink_to(model)

  def start(*arguments):
    return subprocess.Popen(
      [sys.executable, "-c", _MAIN, "batch", "toy", *arguments],
      cwd=tmp_path,
      env={
        **{k: v for k, v in os.environ.items() if not k.startswith("DLPIPE_")},
        "PYTHONPATH": str(_ROOT),
        "DLPIPE_TASKS": str(tmp_path / "tasks"),
      },
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  return start


def _visible(folder):
  return sorted(path.name for path in folder.iterdir() if path.name != "tasks")


def test_rows_with_errors_are_counted_and_the_batch_is_done(dlpipe, tmp_path):
  (tmp_path / "in.csv").write_text("id,text\n1,a\n2,boom\n3,c\n", encoding="utf-8")
  process = dlpipe("--input", "in.csv", "--output", "out.jsonl", "--json")
  stdout, stderr = process.communicate(timeout=600)
  assert process.returncode == 0, stderr
  result = json.loads(stdout.splitlines()[-1])
  assert result.pop("seconds") > 0
  assert result == {
    "task": "toy",
    "version": 10,
    "rows": 3,
    "errors": 1,
    "output": [str(tmp_path / "out.jsonl")],
  }
  assert "1 of 3 rows have no prediction; the first: " in stderr
  rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
  assert [row["label"] for row in rows] == ["A", None, "C"]
  assert _visible(tmp_path) == ["in.csv", "out.jsonl", "workspace"]


def test_a_batch_without_one_prediction_has_failed(dlpipe, tmp_path):
  (tmp_path / "in.txt").write_text("boom\n", encoding="utf-8")
  process = dlpipe("--input", "in.txt", "--output", "out.csv", "--version", "2")
  stdout, stderr = process.communicate(timeout=600)
  assert process.returncode == 1
  assert "1 of 1 rows have no prediction; the first: assertion failed: [boom is no text]" in stderr
  assert stdout.splitlines()[-3].startswith("toy, version 2: 1 row in ")
  assert (tmp_path / "out.csv").read_text().startswith("id,text,label,error\n1,boom,,")


@pytest.mark.parametrize(
  ("options", "damaged", "ways"),
  [
    (
      (),
      "10",
      "`dlpipe rollback toy --to 2` serves version 2 again; `--version 2` asks version 2.",
    ),
    (("--version", "2"), "2", "`--version 10` asks version 10."),
  ],
)
def test_a_damaged_version_is_told_with_the_ways_out(
  dlpipe, tmp_path, model, options, damaged, ways
):
  folder = tmp_path / "workspace" / "toy" / "serving" / damaged
  folder.unlink()
  folder.mkdir()
  (folder / "saved_model.pb").write_bytes((model / "saved_model.pb").read_bytes())
  (tmp_path / "in.txt").write_text("one\n", encoding="utf-8")
  process = dlpipe("--input", "in.txt", "--output", "out.csv", *options)
  _, stderr = process.communicate(timeout=600)
  assert process.returncode == 1
  lines = stderr.splitlines()
  assert lines[0].startswith(f"Error: The model in '{folder}' cannot be loaded: ")
  assert lines[-1] == ways
  assert "Exception ignored" not in stderr
  assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
  ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)]
)
def test_a_batch_that_is_stopped_leaves_nothing_under_its_name(dlpipe, tmp_path, number, code):
  (tmp_path / "in.txt").write_text("line\n" * 30_000, encoding="utf-8")
  parts = tmp_path / ".out.jsonl.partial" / "parts"
  process = dlpipe("--input", "in.txt", "--output", "out.jsonl")
  deadline = time.monotonic() + 120
  while not (parts / "000000-000000").exists():
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline
    time.sleep(0.01)
  process.send_signal(number)
  _, stderr = process.communicate(timeout=600)
  assert process.returncode == code, stderr
  assert not (tmp_path / "out.jsonl").exists()
  if number == signal.SIGINT:
    assert "Interrupted. Nothing was written." in stderr
    assert _visible(tmp_path) == ["in.txt", "workspace"]
    return
  (tmp_path / "in.txt").write_text("one\ntwo\n", encoding="utf-8")
  process = dlpipe("--input", "in.txt", "--output", "out.jsonl")
  process.communicate(timeout=600)
  assert process.returncode == 0
  assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
  assert _visible(tmp_path) == ["in.txt", "out.jsonl", "workspace"]


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("imagse", "--input", "a", "--output", "o.csv"), "Unknown task 'imagse'. Did you mean"),
    (("images", "--input", "a", "--output", "o.txt"), "--output must end with .jsonl, .csv, .par"),
    (("images", "--input", "a", "--output", "o.csv"), "No model is pushed in "),
    (("images", "--input", "a", "--output", "o.csv", "--set", "beam.x=1"), "--set: unknown name"),
  ],
)
def test_refusals_come_before_tensorflow(command, tmp_path, arguments, message):
  done = command("batch", *arguments)
  assert done.code == 2
  assert done.stderr.startswith(f"Error: {message}")
  assert not {"tensorflow", "apache_beam", "pyarrow"} & set(done.heavy)
  assert _visible(tmp_path) == []


@pytest.mark.parametrize(
  ("options", "message"),
  [
    (("--input", "in.csv", "--version", "3"), "Error: No version 3 in "),
    (("--input", "in.csv", "--column", "txt"), "Error: Expected a column 'txt' in "),
    (("--input", "absent.csv"), "Error: Expected a folder of files, a CSV, TSV, JSONL or Parquet"),
  ],
)
def test_bad_input_is_one_message_and_leaves_no_trace(command, tmp_path, options, message):
  serving = tmp_path / "workspace" / "images" / "serving" / "1"
  serving.mkdir(parents=True)
  (tmp_path / "in.csv").write_text("path,b\n1,2\n", encoding="utf-8")
  done = command("batch", "images", "--output", "out.csv", *options)
  assert done.code == 2
  assert done.stderr.startswith(message)
  assert done.stderr.count("Error") == 1
  assert "tensorflow" not in done.heavy
  assert _visible(tmp_path) == ["in.csv", "workspace"]
  assert _visible(tmp_path / "workspace" / "images") == ["serving"]


@pytest.mark.parametrize("setting", ["train.epochs=5", "data.max_chars=5", "gates.accuracy=0.5"])
def test_settings_of_trainings_are_refused(tmp_path, setting):
  arguments = ["--input", "in.csv", "--output", "out.csv", "--workspace", str(tmp_path)]
  done = CliRunner().invoke(batch, ["sentiment", *arguments, "--set", setting])
  assert isinstance(done.exception, BadInputError)
  assert str(done.exception).startswith(f"--set {setting.partition('=')[0]} changes how a model is")
  used = CliRunner().invoke(batch, ["sentiment", *arguments, "--set", "data.separator=tab"])
  assert str(used.exception).startswith("No model is pushed in ")
