"""A value is what a person wrote, on the command line and in a file."""

import datetime

import pytest

from dlpipe.errors import BadInputError
from pipeline.tasks.images.task import TASK


def test_a_schedule_is_written_as_airflow_has_it(make, config_file):
  assert make("airflow.schedule=@daily").airflow.schedule == "@daily"
  path = config_file("airflow:\n  schedule: @hourly\n  pool: 'a@b'\n")
  read = make(config_file=path).airflow
  assert (read.schedule, read.pool) == ("@hourly", "a@b")


@pytest.mark.parametrize(
  ("written", "value"),
  [
    *((mark, mark) for mark in ";|,:^#&*-\t "),  # YAML has other plans for most of them
    ("semicolon", "semicolon"),
    ("'|'", "|"),
    ("~", None),
  ],
)
def test_a_separator_is_the_mark_that_was_written(make, written, value):
  assert make(f"data.separator={written}").data.options == {"separator": value}


@pytest.mark.parametrize(
  "written",
  [
    *("2", "007", "010", "1:30", "2.20", "1e3", "2024-01-31", "yes", "no", "true"),
    *("#label", "text #1", "a: b", "- a", "&a", "a:b", "it's #1"),
    *("2026-11-31", "*a", "!a", "%a", "a: b: c"),
  ],
)
def test_a_text_is_what_was_written(make, written):
  assert make(f"data.label_column={written}").data.options == {"label_column": written}


def test_quotes_hold_what_yaml_means_otherwise(make):
  assert make("data.label_column='null'").data.options == {"label_column": "null"}
  assert make('data.label_column="a #b"').data.options == {"label_column": "a #b"}


@pytest.mark.parametrize("written", ["", "  ", "\t "])
def test_an_empty_value_is_no_default(make, written):
  # Such as an unset variable of a shell.
  with pytest.raises(BadInputError, match="train.epochs takes a value. Received an empty text"):
    make(f"train.epochs={written}")


@pytest.mark.parametrize("written", ["010", "0b11", "1:30", "5 # of them"])
def test_a_number_is_not_another_one_than_was_written(make, written, config_file):
  with pytest.raises(BadInputError, match="train.epochs"):
    make(f"train.epochs={written}")
  if "#" not in written:  # which is a comment in a file
    with pytest.raises(BadInputError, match=f"Received: '{written}'"):
      make(config_file=config_file(f"train: {{epochs: {written}}}\n"))


def test_a_section_of_a_file_may_be_empty(make, config_file):
  path = config_file("model:\n  # backbone: squeezenet\ntrain:\n  epochs: 3\n")
  assert make(config_file=path).train.epochs == 3


def test_a_column_may_be_called_by_a_number(make, config_file):
  assert make("data.label_column=2").data.options == {"label_column": "2"}
  path = config_file("data: {label_column: 2, header: false}\n")
  assert make(config_file=path).data.options == {"label_column": "2", "header": False}
  path = config_file("data: {label_column: true}\n")
  with pytest.raises(BadInputError, match="data.label_column must be text, such as 'label'"):
    make(config_file=path)


@pytest.mark.parametrize(
  ("setting", "section", "name", "value"),
  [
    ("train.learning_rate=1e-3", "train", "learning_rate", 0.001),
    ("push.tolerance=1e-5", "push", "tolerance", 0.00001),
    ("push.tolerance=1.5e+3", "push", "tolerance", 1500.0),
    ("push.tolerance=.5E3", "push", "tolerance", 500.0),
    ("train.batch_size=1_000", "train", "batch_size", 1000),
    ("airflow.start_date=2025-02-03", "airflow", "start_date", datetime.date(2025, 2, 3)),
    ("airflow.start_date='2025-02-03'", "airflow", "start_date", datetime.date(2025, 2, 3)),
    ("train.learning_rate=2", "train", "learning_rate", 2.0),
    ("train.mixed_precision=true", "train", "mixed_precision", True),
    ("train.epochs=5", "train", "epochs", 5),
    ("train.epochs=null", "train", "epochs", None),
    ("push.tolerance=0", "push", "tolerance", 0.0),
    ("beam.options=[--a=1, --b]", "beam", "options", ("--a=1", "--b")),
    (" data.source = folder", "data", "source", "folder"),
  ],
)
def test_values_are_read_as_a_person_means_them(make, setting, section, name, value):
  read = getattr(getattr(make(setting), section), name)
  assert read == value
  assert type(read) is type(value)


@pytest.mark.parametrize(
  ("setting", "value"),
  [
    ("model.dropout=0", 0.0),
    ("model.widths=[4, 8]", [4, 8]),
    ("model.image_size=48", 48),
    ("model.image_size=null", None),
    ("model.weights=a=b.h5", "a=b.h5"),
    ("model.flip=yes", True),
  ],
)
def test_hyperparameters_keep_their_defaults_type(make, setting, value):
  name = setting.split("=")[0].removeprefix("model.")
  read = getattr(make(setting).params(TASK), name)
  assert read == value
  assert type(read) is type(value)


def test_a_file_may_have_small_numbers_as_python_writes_them(make, config_file):
  assert make(config_file=config_file("push: {tolerance: 1e-05}\n")).push.tolerance == 1e-5
