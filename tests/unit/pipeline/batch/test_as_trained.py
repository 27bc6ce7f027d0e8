"""A batch is read as the data was read that its model learned from, unless it is said otherwise."""

import json

import pytest

from components.versioned_pusher.publish import publish
from dlpipe.errors import BadInputError
from pipeline.batch.as_trained import plan
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

_TASK = get_task("sentiment")


@pytest.fixture
def planned(tmp_path):
  """Returns a function that plans a batch of a model whose data was told so, by `--set` items."""
  model = tmp_path / "model"
  model.mkdir()
  (model / "saved_model.pb").write_bytes(b"graph")

  def make(name, content, learned, *settings, column=None):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    config = make_config(
      _TASK, data_path=str(path), workspace=str(tmp_path / "ws"), settings=settings
    )
    version = publish(
      model, config.folder.serving, source=json.dumps(learned), data_options=learned
    )
    return plan(_TASK, config, version, column=column)

  return make


def test_the_column_need_not_be_named_again(planned):
  found, said = planned("in.csv", "text,opinion\na,b\n", {"text_column": "opinion"})
  assert found.input_column == "opinion"
  assert said == [
    (
      "Read as in the training of version 1: data.text_column=opinion. --set or --column says "
      "otherwise."
    )
  ]


def test_nor_how_the_table_is_written(planned):
  learned = {"header": False, "separator": "semicolon", "text_column": "2", "max_chars": 9}
  found, said = planned("in.csv", "1;a text\n2;more\n", learned)
  assert found.input_column == "2"
  assert said[0].startswith(
    "Read as in the training of version 1: data.separator=semicolon, data.header=false, "
    "data.text_column=2. "
  )


@pytest.mark.parametrize(("settings", "column"), [(["data.text_column=text"], None), ([], "text")])
def test_what_is_said_of_this_input_wins(planned, settings, column):
  found, said = planned(
    "in.csv", "text,opinion\na,b\n", {"text_column": "opinion"}, *settings, column=column
  )
  assert (found.input_column, said) == ("text", [])


def test_a_table_of_another_kind_is_read_as_if_nothing_had_been_said(planned):
  found, said = planned("in.jsonl", '{"text": "a"}\n', {"text_column": "opinion"})
  assert found.input_column == "text"
  assert said == [
    "Not read as in the training of version 1, data.text_column=opinion: that does not fit."
  ]


def test_what_nothing_fits_is_refused_as_the_training_had_it(planned):
  with pytest.raises(BadInputError, match="'opinion'"):
    planned("in.csv", "id,title\n1,a\n", {"text_column": "opinion"})


@pytest.mark.parametrize("learned", [None, {"max_chars": 9}])
def test_nothing_was_said_at_training(planned, learned):
  found, said = planned("in.csv", "review,id\na,1\n", learned)
  assert found.input_column == "review"
  assert said == [
    "Inputs are in the column 'review': its name is one that inputs have. --column names another."
  ]


def test_lines_have_no_columns(planned):
  found, said = planned("in.txt", "one\ntwo\n", {"text_column": "opinion"})
  assert (found.kind, said) == ("lines", [])
