"""What the sentiment task infers, refuses and reads before anything heavy is imported."""

import hashlib
import json

import pytest

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from pipeline.settings.reading import make_config
from pipeline.tasks.sentiment.params import SentimentParams
from pipeline.tasks.sentiment.task import TASK


def _infer(**changes):
  """What is other than before it was inferred."""
  before = SentimentParams(**changes)
  after = TASK.infer("table", "unused", TASK.data_options.defaults(), before).as_json()
  return {n: v for n, v in after.items() if n == "word_units" or v != before.as_json().get(n)}


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    ("train.epochs=3", "train.epochs is the readers', .* The bag is fitted without epochs"),
    ("train.learning_rate=0.1", "train.learning_rate is .* The bag is fitted without one"),
    ("model.units=8", "model.units is the readers', and there are none. Set model.readers to 1"),
  ],
)
def test_without_readers_what_is_theirs_is_refused(setting, message):
  paths = {"data_path": "d", "workspace": "w"}
  assert make_config(TASK, settings=[setting], **paths).said
  with pytest.raises(BadInputError, match=message):
    make_config(TASK, settings=["model.readers=0", setting], **paths)


@pytest.fixture
def embeddings(tmp_path):
  (tmp_path / "v.txt").write_text("good 1 2 3\nbad 4 5 6\n")
  return tmp_path / "v.txt"


def test_words_have_64_numbers_unless_told_otherwise():
  assert _infer() == {"word_units": 64}
  assert _infer(word_units=7) == {"word_units": 7}


def test_a_file_of_vectors_decides_and_is_identified_by_its_content(embeddings, monkeypatch):
  monkeypatch.chdir(embeddings.parent)
  assert _infer(embeddings="v.txt") == {
    "word_units": 3,
    "embeddings": str(embeddings),
    "embeddings_sha256": hashlib.sha256(embeddings.read_bytes()).hexdigest(),
  }
  assert _infer(embeddings="v.txt", word_units=3)["word_units"] == 3


def test_a_dimension_that_the_file_does_not_have_is_bad_input(embeddings):
  with pytest.raises(BadInputError, match="model.word_units=4 does not fit .* which have 3"):
    _infer(embeddings=str(embeddings), word_units=4)


@pytest.mark.parametrize("name", ["absent.txt", "folder"])
def test_vectors_that_cannot_be_read_are_bad_input(tmp_path, name):
  (tmp_path / "folder").mkdir()
  with pytest.raises(BadInputError, match="model.embeddings: cannot read"):
    _infer(embeddings=str(tmp_path / name))


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    ("max_words=1", "model.max_words must be a whole number of at least 2, such as 1000"),
    ("part_buckets=0", "model.part_buckets must be a whole number from 1 to 100,000,000"),
    ("readers=-1", "model.readers must be a whole number from 0 to 100"),
    ("dropout=1", "must be a number of at least 0 and below 1, such as 0.3. Received: 1.0"),
    ("word_dropout=-0.1", "model.word_dropout must be a number of at least 0 and below 1"),
    ("cell=gur", "model.cell must be gru or lstm, such as 'gru'. Received: 'gur'"),
    ("word_units=0", "must be null or a whole number from 1 to 10,000. Received: 0"),
    ("word_units=many", "must be null or a whole number from 1 to 10,000. Received: 'many'"),
    ("word_units=true", "must be null or a whole number from 1 to 10,000. Received: true"),
  ],
)
def test_a_setting_that_cannot_work_is_bad_input(setting, message):
  with pytest.raises(BadInputError) as refused:
    make_config(TASK, data_path="x", workspace="w", settings=[f"model.{setting}"])
  assert message in str(refused.value)


def test_a_request_is_the_text_as_it_is():
  assert TASK.input.value(" Not bad. ") == b" Not bad. "
  assert TASK.input.value(None) == TASK.input.value(float("nan")) == b""
  # An argument whose bytes are no UTF-8, and half a character out of JSON: the model refuses them.
  assert TASK.input.value("sch\udcf6n") == b"sch\xf6n"
  assert TASK.input.value("\ud83d") == b"\xed\xa0\xbd"
  with pytest.raises(ValueError, match="the text is no string, but of type int"):
    TASK.input.value(7)


def test_the_sample_input_is_the_first_text_of_the_shipped_data(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  first = TASK.input.sample()
  [path] = tmp_path.rglob("*.csv")
  assert path.read_text("utf-8").splitlines()[1].rpartition(",")[0].strip('"') == first


def test_a_folder_for_samples_that_cannot_be_written_is_bad_input(tmp_path, monkeypatch):
  (tmp_path / "file").touch()
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
  with pytest.raises(BadInputError, match="Set XDG_CACHE_HOME"):
    TASK.shipped_data()


def test_names_of_what_is_computed():
  metrics = load_function(TASK.problem.metrics)
  assert [json.loads(m.config)["name"] for m in metrics()] == [
    "example_count",
    "loss",
    "accuracy",
    "confusion_matrix",
    "skill",
    "calibration_error",
    "worst_recall",
    "coverage",
    "accepted_accuracy",
    "auc",
  ]
