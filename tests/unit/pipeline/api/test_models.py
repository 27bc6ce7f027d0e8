"""`load` and `Model`: which model is asked, and the rules by which it answers."""

from __future__ import annotations

import shutil

import pytest

import dlpipe
from dlpipe.errors import BadInputError, DlpipeError


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


def test_paths_and_bytes_are_answered_alike_and_a_bad_one_costs_no_other(workspace, picture):
  with dlpipe.load("images", workspace=workspace) as model:
    first, second, third, bad, gone = model.predict(
      [picture, str(picture), picture.read_bytes(), b"no picture", "absent.png"]
    )
  assert (model.task, model.version) == ("images", 11)
  assert first == second == third
  assert first["labels"] == ["cat", "dog"]
  assert first["score"] == max(first["scores"])
  assert set(bad) == set(gone) == {"error"}
  assert "No such file" in gone["error"]


def test_a_version_is_the_newest_or_the_one_named(workspace):
  assert dlpipe.load("images", workspace=workspace).version == 11
  model = dlpipe.load("images", workspace=workspace, version=3)
  assert model.version == 3
  assert model.path == workspace / "images" / "serving" / "3"
  assert repr(model) == f"<Model of images, version 3, in {model.path}>"


def test_a_saved_model_anywhere_needs_no_workspace(images_model, picture):
  model = dlpipe.load("images", path=images_model)
  assert (model.version, model.path) == (None, images_model)
  assert model.predict([picture])[0]["label"] in ("cat", "dog")


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ({"version": 7}, r"No version 7 in .* Known versions: 3, 11\."),
    ({"path": "absent"}, "path takes a folder with a saved_model.pb. There is none in 'absent'"),
    ({"path": ".", "version": 3}, "path names a model by itself. Leave version and workspace out"),
    ({"workspace": "gs://bucket"}, "workspace takes a path on this machine"),
    ({"workspace": "elsewhere"}, "No model is pushed in "),
  ],
)
def test_a_model_that_is_not_there_is_told(workspace, monkeypatch, given, message):
  monkeypatch.setenv("DLPIPE_WORKSPACE", str(workspace))
  with pytest.raises(BadInputError, match=message):
    dlpipe.load("images", **given)


def test_a_damaged_version_is_told_with_the_way_back(workspace):
  shutil.rmtree(workspace / "images" / "serving" / "11" / "variables")
  with pytest.raises(DlpipeError) as raised:
    dlpipe.load("images", workspace=workspace)
  assert type(raised.value) is DlpipeError
  assert str(raised.value).endswith(
    f"\n`dlpipe rollback images --to 3 --workspace {workspace}` serves version 3 again."
  )


@pytest.mark.parametrize(
  ("inputs", "message"),
  [
    ("a.png", r"predict takes a list of inputs, such as \['a.png'\]. Received: 'a.png'"),
    (b"bytes", "predict takes a list of inputs"),
    (3, "predict takes a list of inputs, such as"),
    ([], "predict takes at least one input"),
    ([3], "the path is no string, but of type int"),
    (["a.png", "b.png"], "None of 2 inputs can be read:\n  'a.png': "),
    ([b"no picture"], "The model could not answer '10 bytes': Unknown image file"),
    ([b"no picture"] * 7, "The model could answer none of 7 inputs:\n"),
  ],
)
def test_inputs_of_which_none_can_be_answered_are_an_error(workspace, inputs, message):
  model = dlpipe.load("images", workspace=workspace)
  with pytest.raises(BadInputError, match=message):
    model.predict(inputs)
