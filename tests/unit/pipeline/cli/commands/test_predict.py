"""`dlpipe predict`: real answers of a pushed model, and its refusals."""

import json
import shutil
import types

import pytest
from click.testing import CliRunner

from components.versioned_pusher.publish import rollback as republish
from dlpipe.errors import BadInputError, DlpipeError
from pipeline.api import asking
from pipeline.cli.commands.predict import predict


@pytest.fixture
def workspace(tmp_path, images_model):
  for version in ("3", "11"):
    shutil.copytree(images_model, tmp_path / "images" / "serving" / version)
  return tmp_path


@pytest.fixture
def picture(tmp_path, graph):
  path = tmp_path / "picture.png"
  path.write_bytes(graph.pictures[0])
  return path


def _run(*arguments, **options):
  return CliRunner().invoke(predict, [str(a) for a in arguments], **options)


def test_json_has_every_output_of_each_input_from_the_newest_version(workspace, picture):
  done = _run("images", picture, picture, "--workspace", workspace, "--json")
  assert done.exit_code == 0, done.output
  answer = json.loads(done.stdout)
  assert (answer["task"], answer["version"]) == ("images", 11)
  first, second = answer["predictions"]
  assert first == second
  assert first["input"] == str(picture)
  assert first["labels"] == ["cat", "dog"]
  assert sum(first["scores"]) == pytest.approx(1, abs=1e-6)
  assert first["score"] == max(first["scores"])
  assert first["label"] == first["labels"][first["scores"].index(first["score"])]


def test_text_is_a_line_for_each_input(workspace, picture):
  done = _run("images", picture, "--workspace", workspace)
  title, line = done.stdout.splitlines()
  assert title == "images, version 11:"
  assert line.startswith(f"  {picture}: label ")
  assert ", score 0." in line


def test_a_file_that_is_no_picture_is_bad_input(workspace, tmp_path):
  (tmp_path / "notes.txt").write_text("no picture")
  done = _run("images", tmp_path / "notes.txt", "--workspace", workspace)
  assert isinstance(done.exception, BadInputError)
  name = str(tmp_path / "notes.txt")
  assert str(done.exception).startswith(f"The model could not answer {name!r}: Unknown image file")


def test_where_none_is_a_picture_the_first_are_named(workspace, tmp_path):
  names = [str(tmp_path / f"notes{number}.txt") for number in range(7)]
  for name in names:
    with open(name, "w") as f:
      f.write("no picture")
  done = _run("images", *names, "--workspace", workspace)
  assert isinstance(done.exception, BadInputError)
  title, *lines = str(done.exception).splitlines()
  assert title == "The model could answer none of 7 inputs:"
  assert [line.partition(": ")[0].strip() for line in lines[:5]] == [repr(n) for n in names[:5]]
  assert lines[5:] == ["  and 2 more"]


def test_a_damaged_version_is_told_with_the_way_back(workspace, picture):
  serving = workspace / "images" / "serving"
  shutil.rmtree(serving / "11" / "variables")
  done = _run("images", picture, "--workspace", workspace)
  assert (type(done.exception), done.exception.exit_code) == (DlpipeError, 1)
  assert str(done.exception).startswith(f"Version 11 in {serving} cannot be loaded: ")
  assert str(done.exception).endswith(
    f"\n`dlpipe rollback images --to 3 --workspace {workspace}` serves version 3 again."
  )
  republish(serving, 3)
  assert _run("images", picture, "--workspace", workspace).exit_code == 0


def test_without_any_graph_nothing_can_be_gone_back_to(workspace, picture):
  serving = workspace / "images" / "serving"
  shutil.rmtree(serving / "3")
  (serving / "11" / "saved_model.pb").unlink()
  done = _run("images", picture, "--workspace", workspace)
  assert (type(done.exception), done.exception.exit_code) == (DlpipeError, 1)
  assert f"`dlpipe run images --no-cache --workspace {workspace}`" in str(done.exception)


def test_one_that_is_no_picture_costs_the_others_nothing(workspace, picture, tmp_path):
  (tmp_path / "notes.txt").write_text("no picture")
  inputs = (picture, tmp_path / "notes.txt", picture)
  done = _run("images", *inputs, "--workspace", workspace, "--json")
  assert (type(done.exception), done.exception.exit_code) == (DlpipeError, 1)
  assert str(done.exception) == "The model could not answer 1 of 3 inputs."
  first, second, third = json.loads(done.stdout)["predictions"]
  assert set(second) == {"input", "error"}
  assert second["input"] == str(tmp_path / "notes.txt")
  assert first == third
  assert first["label"] in ("cat", "dog")
  text = _run("images", *inputs, "--workspace", workspace).stdout.splitlines()
  assert len(text) == 4
  assert text[2].startswith(f"  {tmp_path / 'notes.txt'}: error ")
  assert "{{" not in text[2] + second["error"]


def test_files_that_cannot_be_read_cost_the_others_nothing(workspace, picture, tmp_path):
  odd = tmp_path / "caf\udce9.png"
  odd.write_bytes(picture.read_bytes())
  inputs = (tmp_path / "absent.png", odd, tmp_path, *[picture] * 300)
  done = _run("images", *inputs, "--workspace", workspace, "--json")
  assert str(done.exception) == "The model could not answer 2 of 303 inputs."
  first, second, third, *others = json.loads(done.stdout)["predictions"]
  assert "No such file" in first["error"]
  assert second["input"].endswith("caf\\xe9.png")
  assert "Is a directory" in third["error"]
  assert {json.dumps(row) for row in others} == {json.dumps(others[0])}
  assert second["label"] == others[0]["label"]
  assert "caf\\xe9.png: label" in _run("images", odd, "--workspace", workspace).stdout


def test_inputs_come_from_a_file_and_from_stdin(workspace, picture, tmp_path):
  (tmp_path / "list.txt").write_bytes(f"\ufeff{picture}\r\n{picture}\n".encode())
  options = ("--workspace", workspace, "--json")
  from_file = _run("images", "--input-file", tmp_path / "list.txt", *options)
  from_stdin = _run("images", "-", *options, input=(tmp_path / "list.txt").read_bytes())
  rows = json.loads(from_file.stdout)["predictions"]
  assert [row["input"] for row in rows] == [str(picture)] * 2
  assert from_stdin.stdout == from_file.stdout


def test_float32_is_written_in_the_decimals_it_has(workspace, picture):
  row = json.loads(_run("images", picture, "--workspace", workspace, "--json").stdout)
  score = row["predictions"][0]["score"]
  assert len(str(score)) <= len("0.123456789")


def test_long_texts_are_cut_on_the_screen_and_paths_are_not():
  task = types.SimpleNamespace(input=types.SimpleNamespace(kind="text"))
  text = "two\nlines " + "x" * 100
  assert asking.shown_input(task, text) == "two lines " + "x" * 59 + "..."
  task.input.kind = "file"
  assert asking.shown_input(task, text) == text.replace("\n", " ")


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("predict", "imagse", "a.png"), "Unknown task 'imagse'. Did you mean 'images'?"),
    (("predict", "images"), "dlpipe predict images needs at least one INPUT, or --sample."),
    (("predict", "images", "a.png"), "Cannot read the picture 'a.png': No such file"),
    (("predict", "images", "--sample"), "No model is pushed in "),
    (("predict", "images", "--input-file", "b.txt"), "--input-file takes a file of lines. There"),
    (
      ("predict", "images", "--input-file", "bad.txt"),
      "None of 2 inputs can be read:\n  'a.png': ",
    ),
  ],
)
def test_refusals_come_before_tensorflow(command, tmp_path, arguments, message):
  (tmp_path / "bad.txt").write_bytes(b"a.png\n\xff.png\n")
  done = command(*arguments)
  assert done.code == 2
  assert done.stderr.startswith(f"Error: {message}")
  assert done.stdout == ""
  assert "tensorflow" not in done.heavy
  assert not (tmp_path / "workspace").exists()
