"""Which finished trainings are taken up again: those of which only the decoding is other."""

import json
import types

import pytest

from pipeline.tasks.images.task import TASK as IMAGES
from pipeline.tasks.translation.task import TASK as TRANSLATION
from pipeline.training.checkpoints import folder_of
from pipeline.training.files import STATE_FILE


@pytest.fixture
def fn_args(tmp_path):
  (tmp_path / "graph").mkdir()
  (tmp_path / "rows").write_bytes(b"rows")
  return types.SimpleNamespace(
    custom_config={"task": "t", "checkpoint_root": str(tmp_path / "checkpoints")},
    train_files=[str(tmp_path / "rows")],
    eval_files=[str(tmp_path / "rows")],
    transform_output=str(tmp_path / "graph"),
  )


def _trained(fn_args, task, **changes):
  """A training's folder with a checkpoint, as after the last epoch."""
  folder = folder_of(fn_args, task.params.usual().replace(**changes))
  folder.open()
  folder.path.mkdir(parents=True, exist_ok=True)
  (folder.path / STATE_FILE).write_bytes(b"state")
  return folder


def _is_kept(fn_args, task, **changes):
  folder = folder_of(fn_args, task.params.usual().replace(**changes))
  folder.open()
  return (folder.path / STATE_FILE).exists()


def test_an_unfinished_training_is_kept(fn_args):
  _trained(fn_args, TRANSLATION)
  assert _is_kept(fn_args, TRANSLATION)


def test_a_finished_training_is_taken_up_for_another_decoding_alone(fn_args):
  _trained(fn_args, TRANSLATION, beam_width=2).close()
  assert _is_kept(fn_args, TRANSLATION, beam_width=1)
  _trained(fn_args, TRANSLATION, beam_width=2).close()
  assert not _is_kept(fn_args, TRANSLATION, beam_width=2)


def test_a_task_without_decoding_keeps_no_finished_training(fn_args):
  folder = _trained(fn_args, IMAGES)
  folder.close()
  assert not folder.path.exists()


def test_workers_that_share_a_training_keep_none_that_is_finished(fn_args, monkeypatch):
  cluster = {"worker": ["a:1", "b:1"]}
  config = {"cluster": cluster, "task": {"type": "worker", "index": 0}}
  monkeypatch.setenv("TF_CONFIG", json.dumps(config))
  folder = _trained(fn_args, TRANSLATION, beam_width=2)
  folder.close()
  assert not folder.path.exists()


def test_other_trainings_folders_go_and_what_was_set_aside_stays(fn_args, tmp_path):
  (tmp_path / "checkpoints" / "other").mkdir(parents=True)
  (tmp_path / "checkpoints" / "other-set-aside.npz").write_bytes(b"")
  _trained(fn_args, IMAGES)
  assert not (tmp_path / "checkpoints" / "other").exists()
  assert (tmp_path / "checkpoints" / "other-set-aside.npz").exists()


def _name(fn_args, task=IMAGES, **changes):
  return folder_of(fn_args, task.params.usual().replace(**changes)).path.name


def _given(folder, train=b"rows", val=b"rows", graph=b"graph", **config):
  """What a Trainer is given: these bytes, wherever they lie."""
  (folder / "graph" / "assets").mkdir(parents=True)
  (folder / "graph" / "assets" / "words").write_bytes(graph)
  for name, content in (("train", train), ("val", val)):
    (folder / f"{name}-of-1").write_bytes(content)
  return types.SimpleNamespace(
    custom_config={"task": "t", "checkpoint_root": "/c", **config},
    train_files=[str(folder / "train-*")],
    eval_files=[str(folder / "val-*")],
    transform_output=str(folder / "graph"),
  )


@pytest.mark.parametrize(
  "changed",
  [{"train": b"Rows"}, {"val": b"Rows"}, {"graph": b"Graph"}, {"seed": 2}],
  ids=lambda changed: next(iter(changed)),
)
def test_another_content_is_another_training(tmp_path, changed):
  assert _name(_given(tmp_path / "a")) == _name(_given(tmp_path / "b"))
  assert _name(_given(tmp_path / "a" / "c", **changed)) != _name(_given(tmp_path / "d"))


def test_another_setting_or_keras_is_another_training_and_another_decoding_is_not(
  fn_args, monkeypatch
):
  assert _name(fn_args, dropout=0.1) != _name(fn_args, dropout=0.2)
  decoded = {_name(fn_args, TRANSLATION, beam_width=width) for width in (1, 2)}
  assert len(decoded) == 1
  before = _name(fn_args)
  monkeypatch.setattr("keras.__version__", "99.0.0")
  assert _name(fn_args) != before


def test_a_finished_training_without_its_checkpoint_is_trained_again(fn_args):
  folder = _trained(fn_args, TRANSLATION, beam_width=2)
  folder.close()
  (folder.path / STATE_FILE).unlink()
  folder_of(fn_args, TRANSLATION.params.usual().replace(beam_width=1)).open()
  assert not folder.path.exists()


def test_a_damaged_note_of_what_was_finished_ends_no_run(fn_args):
  folder = _trained(fn_args, TRANSLATION, beam_width=2)
  folder.close()
  (folder.path / "finished.json").write_text('{"beam')
  assert not _is_kept(fn_args, TRANSLATION, beam_width=1)
