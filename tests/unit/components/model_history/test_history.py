"""The history answers as `PreviousBlessedModel` does, and survives what may happen to its file."""

import json

import pytest

from components.model_history.history import previous_blessed, record_blessing
from dlpipe.errors import BadInputError, DlpipeError


@pytest.fixture
def path(tmp_path):
  return tmp_path / "images" / "models.json"


def _judge(path, model, *, blessed):
  found = previous_blessed(path, model)
  record_blessing(path, model, blessed=blessed)
  return found


def test_the_first_model_has_none_before_it(path):
  assert previous_blessed(path, "gs://b/1") is None
  assert json.loads(path.read_text()) == [{"uri": "gs://b/1", "blessed": False}]


def test_each_model_is_compared_with_the_latest_blessed_one_before_it(path):
  assert _judge(path, "gs://b/1", blessed=True) is None
  assert _judge(path, "gs://b/2", blessed=False) == "gs://b/1"
  assert _judge(path, "gs://b/3", blessed=True) == "gs://b/1"
  assert _judge(path, "gs://b/4", blessed=True) == "gs://b/3"


def test_the_answer_for_a_model_stays_the_same(path):
  for number in (1, 2, 3):
    _judge(path, f"gs://b/{number}", blessed=True)
  assert previous_blessed(path, "gs://b/1") is None
  assert previous_blessed(path, "gs://b/2") == "gs://b/1"
  # A model that was refused keeps its place, too.
  _judge(path, "gs://b/4", blessed=False)
  _judge(path, "gs://b/5", blessed=True)
  assert previous_blessed(path, "gs://b/4") == "gs://b/3"


def test_asking_again_changes_nothing(path):
  _judge(path, "gs://b/1", blessed=True)
  before = path.stat().st_mtime_ns
  assert previous_blessed(path, "gs://b/1") is None
  assert path.stat().st_mtime_ns == before


def test_a_blessing_of_an_unknown_model_is_kept(path):
  record_blessing(path, "gs://b/1", blessed=True)
  assert previous_blessed(path, "gs://b/2") == "gs://b/1"


def test_a_model_judged_again_has_the_last_word(path):
  _judge(path, "gs://b/1", blessed=True)
  record_blessing(path, "gs://b/1", blessed=False)
  assert previous_blessed(path, "gs://b/2") is None


@pytest.mark.parametrize("text", ["no json", "{}1", '[{"uri": 1, "blessed": true}]', "[3]"])
def test_a_damaged_file_is_named_and_left_alone(path, text):
  path.parent.mkdir()
  path.write_text(text)
  with pytest.raises(BadInputError, match=r"models\.json\. Mend it, or delete it"):
    previous_blessed(path, "gs://b/1")
  assert path.read_text() == text
  path.unlink()
  assert previous_blessed(path, "gs://b/1") is None
  record_blessing(path, "gs://b/1", blessed=True)
  assert previous_blessed(path, "gs://b/2") == "gs://b/1"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "images").write_text("a file")
  with pytest.raises(DlpipeError, match=r"Cannot keep the history of models in .*mounted volume"):
    previous_blessed(tmp_path / "images" / "models.json", "gs://b/1")
