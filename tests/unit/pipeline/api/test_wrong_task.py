"""An input of another task is answered with that task, before anything heavy is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dlpipe.errors import BadInputError
from pipeline.api.inputs import prepare


@pytest.fixture
def refusal():
  """Returns a function from a task and its data to the message that refuses them."""

  def refuse(task, data, *settings):
    with pytest.raises(BadInputError) as caught:
      prepare(
        task=task,
        data=str(data),
        workspace=None,
        config_file=None,
        settings=settings,
        tiny=False,
        beam=None,
      )
    return str(caught.value)

  return refuse


def _table(path):
  path.write_text("text,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(9)))
  return path


def test_reviews_are_no_pictures(refusal, tmp_path):
  file = _table(tmp_path / "reviews.csv")
  message = refusal("images", file)
  assert message.startswith(
    f"{str(file)!r} looks like an input of the task sentiment, not of images. Try: dlpipe check "
    f"sentiment --data {file}\nAs sentiment: Read as table: text = column 'text', label = column "
    "'label'; 1 file: reviews.csv.\nAs images: Expected a column 'path'"
  )


def test_folders_of_texts_are_no_pictures_and_pictures_no_texts(refusal, class_folders, tmp_path):
  for label in ("pos", "neg"):
    (tmp_path / "texts" / label).mkdir(parents=True)
    for n in range(3):
      (tmp_path / "texts" / label / f"{n}.txt").write_text(f"{label} {n}")
  message = refusal("images", tmp_path / "texts")
  assert "looks like an input of the task sentiment" in message
  assert "is not a JPEG, PNG, GIF or BMP picture, but text" in message
  message = refusal("sentiment", class_folders("cat", "dog"))
  assert "looks like an input of the task images" in message
  assert "As images: Read as folder: label = the folder's name; 6 files; 2 classes: " in message


def test_pairs_and_reviews_are_told_apart(refusal, tmp_path):
  pairs = tmp_path / "fra.tsv"
  pairs.write_text("".join(f"It is {n}.\tC'est {n}.\n" for n in range(9)))
  assert "an input of the task translation" in refusal("sentiment", pairs)
  assert "an input of the task sentiment" in refusal("translation", _table(tmp_path / "x.csv"))


def test_files_called_pos_and_neg_are_not_two_languages(refusal, tmp_path):
  for name in ("rt-polarity.pos", "rt-polarity.neg"):
    (tmp_path / name).write_text("".join(f"{name} words {n}\n" for n in range(9)))
  assert "an input of the task sentiment" in refusal("translation", tmp_path)
  assert "an input of the task sentiment" in refusal("images", tmp_path)


def test_a_fault_of_the_right_task_is_not_blamed_on_the_task(refusal, tmp_path):
  # Files of lines might be classes called en and de: that is no reason to send somebody there.
  for name in ("train.en", "train.de"):
    (tmp_path / name).write_text("".join(f"{name} words {n}\n" for n in range(9)))
  message = refusal("translation", tmp_path)
  assert message.startswith("Expected to be told which language")
  assert "sentiment" not in message
  file = _table(tmp_path / "x.csv")
  assert "task sentiment" not in refusal("images", file, "data.source=manifest")


def test_it_is_said_without_tensorflow(tmp_path):
  file = _table(tmp_path / "reviews.csv")
  code = (
    "import sys; from pipeline.cli.main import main; sys.argv = ['dlpipe', 'run', 'images', "
    f"'--data', {str(file)!r}]\n"
    "try: main()\n"
    "finally: print(sorted({'tensorflow', 'tfx'} & set(sys.modules)))"
  )
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
  assert done.returncode == 2, done.stderr
  assert "looks like an input of the task sentiment" in done.stderr
  assert done.stdout.strip().endswith("[]")
