"""Class folders: no class leaves without a word, and no split becomes a class."""

from __future__ import annotations

import os

import pytest

from dlpipe.errors import BadInputError
from dlpipe.recognition import Unread
from pipeline.sources import class_folders as folders


def _fault(path: str) -> str | None:
  return None if path.endswith(".txt") else "no .txt"


LAYOUT = folders.Layout(
  description="class folders of texts",
  item="text",
  suffixes=(".txt",),
  fault=_fault,
  ignored_folders={"unsup": "texts without a label"},
)


@pytest.fixture
def write(tmp_path):
  def write(*names, count=3, suffix=".txt"):
    for name in names:
      (tmp_path / name).mkdir(parents=True, exist_ok=True)
      for n in range(count):
        (tmp_path / name / f"{n}{suffix}").write_text(f"{name} {n}")
    return tmp_path

  return write


def plan(root):
  return folders.plan(str(root), LAYOUT)


def refusal(root) -> str:
  with pytest.raises(BadInputError) as caught:
    plan(root)
  return str(caught.value)


@pytest.mark.parametrize("name", [".NET", ".net", "train/.NET"])
def test_a_hidden_class_is_named_and_counted(name, write):
  # tensorflow#46595, the other side: names that begin with a dot are ignored, and .NET is a class.
  classes = [f"{'train/' if '/' in name else ''}{c}" for c in ("C++", "C#")]
  found = plan(write(*classes, name, count=8))
  reason = "a name with a dot in front is hidden; rename the folder to use its 8 texts"
  assert found.recognized.unread == [Unread(name=f"{name}/", reason=reason, labelled=True)]
  assert found.sentences()[1] == f"Warning: {name}/ is not read: {reason}."
  assert found.classes == {"C#": 8, "C++": 8}


@pytest.mark.parametrize(
  "name", [".ipynb_checkpoints", ".git", ".Trash-1000", "__MACOSX", "@eaDir", ".svn"]
)
def test_what_tools_leave_is_neither_read_nor_named(name, write):
  # tensorflow#46595, mmpretrain#507: .ipynb_checkpoints became a class.
  found = plan(write("a", "b", name, f"a/{name}"))
  assert found.classes == {"a": 3, "b": 3}
  assert found.recognized.unread == []


def test_a_hidden_folder_without_such_files_is_not_named(write):
  root = write("a", "b")
  (root / ".settings").mkdir()
  (root / ".settings" / "x.ini").write_text("x")
  assert plan(root).recognized.unread == []


def test_an_empty_class_folder_is_a_class_without_files(write):
  # pytorch/vision#4925, #8297.
  root = write("a", "b")
  before = plan(root).fingerprint
  (root / "c" / "inner").mkdir(parents=True)
  found = plan(root)
  assert found.classes == {"a": 3, "b": 3, "c": 0}
  assert found.labels == ("a", "b")
  assert found.sentences()[1:] == ["Warning: the class c is empty."]
  assert found.recognition()["warnings"] == ["the class c is empty"]
  # A cached run would not say it.
  assert found.fingerprint != before


def test_a_class_that_is_empty_in_one_split_has_the_other_s_files(write):
  root = write("train/a", "train/b", "test/a")
  (root / "test" / "b").mkdir()
  assert plan(root).classes == {"a": 6, "b": 3}


def test_what_lies_beside_the_classes_is_said(write):
  root = write("a", "b", "unsup")
  (root / "labels.csv").write_text("x")
  assert plan(root).sentences() == [
    "Read as folder: label = the folder's name; 6 files; 2 classes: a (3), b (3).",
    "Not read: labels.csv (beside the class folders), unsup/ (texts without a label).",
  ]
  for name in ("a", "b"):
    (root / "train").mkdir(exist_ok=True)
    os.rename(root / name, root / "train" / name)
  os.rename(root / "unsup", root / "train" / "unsup")
  assert plan(root).sentences()[1] == (
    "Not read: train/unsup/ (texts without a label), labels.csv (beside the splits)."
  )


@pytest.mark.parametrize(
  "names",
  [
    ("train", "test"),
    ("train", "valid"),
    ("cat", "dog", "test"),
    ("cat", "train", "Testing"),
    ("test/cat", "test/dog", "val/cat", "val/dog"),
  ],
)
def test_no_split_becomes_a_class(names, write):
  message = refusal(write(*names))
  assert "called as splits" in message
  assert "train/<class>/<text>" in message


def test_train_may_be_a_vehicle(write):
  assert plan(write("train", "plane")).classes == {"plane": 3, "train": 3}


def test_folders_without_one_usable_file_are_refused(write):
  message = refusal(write("a", "b", suffix=".pdf"))
  assert "None of the 6 files looked at" in message
  assert "'b/2.pdf' is no .txt" in message
  assert plan(write("a")).classes == {"a": 6, "b": 3}


def test_a_folder_too_high_is_told_to_go_deeper(write):
  root = write("data/cat", "data/dog")
  assert refusal(root).endswith(
    f"If {str(root / 'data')!r} holds the class folders, give that path."
  )


def test_links_are_their_own_class(write, tmp_path):
  # huggingface/datasets#5098, pytorch/vision#1580: the name of the link counts.
  root = write("a", "elsewhere/real")
  os.rename(root / "elsewhere", tmp_path.parent / f"{tmp_path.name}-elsewhere")
  os.symlink(tmp_path.parent / f"{tmp_path.name}-elsewhere" / "real", root / "b")
  assert plan(root).classes == {"a": 3, "b": 3}


def test_a_link_back_to_the_input_gives_no_class_the_files_of_another(write):
  for above in ("", "train"):
    root = write("train/a", "train/b", "test/a", "test/b")
    os.symlink(root / above, root / "train" / "a" / "back")
    assert plan(root).classes == {"a": 6, "b": 6}
    os.remove(root / "train" / "a" / "back")


def test_a_pipe_among_the_files_is_not_waited_for(write):
  root = write("a", "b")
  os.mkfifo(root / "a" / "pipe.txt")
  found = plan(root)
  assert found.classes == {"a": 3, "b": 3}
  assert found.recognized.unread == [
    Unread(name="a/pipe.txt", reason="no file, but a pipe, a socket or a device")
  ]
