"""What `dlpipe predict` takes for an input, and which inputs cost no other its answer."""

import click
import pytest

from dlpipe.errors import BadInputError
from pipeline.cli.commands.predict import predict
from pipeline.cli.predict_inputs import read_inputs
from pipeline.tasks import get_task


def _parsed(*arguments):
  return predict.make_context("predict", list(arguments)).params


@pytest.mark.parametrize(
  "text",
  [
    "-5 stars, awful",
    "-5",
    "- bad",
    "--- bad = awful",
    "-great film",
    "--great film",
    "-:)",
    "--work a b",
  ],
)
def test_a_text_that_begins_with_a_dash_is_an_input_where_no_option_is_called_so(text):
  before = _parsed("sentiment", text, "good", "--json", "--workspace", "-ws")
  assert before["inputs"] == (text, "good")
  assert (before["as_json"], before["workspace"]) == (True, "-ws")
  assert _parsed("--workspace=a b", "sentiment", "good", text)["inputs"] == ("good", text)
  assert _parsed("sentiment", "--", text, "--json")["inputs"] == (text, "--json")


@pytest.mark.parametrize("option", ["-meh", "--jsn", "--workspace ws"])
def test_what_may_be_a_misspelt_option_is_refused_with_the_way_out(option):
  with pytest.raises(click.UsageError, match="goes behind --, or into a file: --input-file"):
    _parsed("sentiment", option)


def test_the_nearest_option_is_named():
  with pytest.raises(click.UsageError, match=r"No such option.*--jsn.*--json"):
    _parsed("sentiment", "--jsn")


def test_bytes_that_are_no_text_go_to_the_model_and_are_shown_escaped():
  [found] = read_inputs(get_task("sentiment"), ["caf\udce9"], None, sample=False)
  assert found == ("caf\\xe9", b"caf\xe9", None)
  [half] = read_inputs(get_task("sentiment"), ["\ud83d"], None, sample=False)
  assert half == ("\\xed\\xa0\\xbd", b"\xed\xa0\xbd", None)


def test_files_that_cannot_be_read_have_an_error_each(tmp_path):
  picture = tmp_path / "a.png"
  picture.write_bytes(b"content")
  (tmp_path / "list.txt").write_bytes(b"missing.png\nnul\0.png\ncaf\xe9.png\n")
  arguments = [str(tmp_path), str(picture), "", "\0", "a" * 5000]
  found = read_inputs(get_task("images"), arguments, str(tmp_path / "list.txt"), sample=False)
  assert [each.value for each in found] == [None, b"content", *[None] * 6]
  reasons = ("Is a directory", None, "", "null byte", "File name too long", "No such file",
             "Line 2", "Line 3")  # fmt: skip
  for each, reason in zip(found, reasons, strict=True):
    assert (each.error is None) if reason is None else (reason in each.error)


def test_a_file_of_lines_that_cannot_be_read_is_refused(tmp_path):
  for name in (str(tmp_path), str(tmp_path / "absent"), "\0", ""):
    with pytest.raises(BadInputError, match="--input-file takes a file of lines"):
      read_inputs(get_task("sentiment"), [], name, sample=False)


def test_a_file_whose_lines_end_with_cr_is_no_single_input(tmp_path):
  (tmp_path / "x.txt").write_bytes(b"good\rbad\r")
  with pytest.raises(BadInputError, match="They end with CR alone"):
    read_inputs(get_task("sentiment"), [], str(tmp_path / "x.txt"), sample=False)
