"""`dlpipe.watch` for Python callers: what `dlpipe watch --json` prints, and what is refused."""

import json

import pytest
from click.testing import CliRunner

import dlpipe
from pipeline.cli.operations.watch import watch


@pytest.fixture
def asked(write_log, tmp_path):
  """The arguments of a watch over two requests to version 3, which has no profile."""
  (tmp_path / "ws" / "sentiment" / "serving" / "3").mkdir(parents=True)
  log = write_log(("fine", "pos", 0.9), ("dull", "neg", 0.8), client=lambda number: f"r{number}")
  return {"log": log, "workspace": tmp_path / "ws"}


def test_a_caller_gets_what_the_command_prints(asked, tmp_path):
  labels = tmp_path / "labels.csv"
  labels.write_text("id,label\nr0,pos\nr1,pos\n")
  found = dlpipe.watch("sentiment", since="1h", labels=labels, **asked)
  assert (found["state"], found["version"], found["requests"]) == ("quiet", 3, 2)
  assert found["live"]["accuracy"] == 0.5
  options = [part for name, path in asked.items() for part in (f"--{name}", str(path))]
  told = CliRunner().invoke(
    watch,
    ["sentiment", "--since", "1h", "--labels", str(labels), "--json", *options],
    catch_exceptions=False,
  )
  printed = json.loads(told.stdout.splitlines()[-1])
  again = json.loads(json.dumps(found))
  assert printed | {"since": 0, "until": 0} == again | {"since": 0, "until": 0}


def test_a_file_that_is_cut_off_is_among_the_notes(asked):
  [file] = asked["log"].glob("*/*/requests-*")
  with file.open("r+b") as opened:
    opened.truncate(file.stat().st_size - 5)
  found = dlpipe.watch("sentiment", **asked)
  assert found["requests"] == 1
  assert any("ends within a record" in note for note in found["notes"])


@pytest.mark.parametrize(
  ("given", "said"),
  [
    ({"least": 0.0}, "least must be between 0 and 1. Received: 0.0"),
    ({"labels": 7}, "labels"),
    ({"since": "soon"}, "--since"),
    ({"log": "gs://bucket/log"}, "log"),
  ],
)
def test_an_argument_that_cannot_be_used_is_refused(asked, given, said):
  with pytest.raises(dlpipe.errors.BadInputError, match=said):
    dlpipe.watch("sentiment", **{**asked, **given})
