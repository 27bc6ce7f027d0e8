"""What a Tuner may vary, refused before anything is read."""

import re

import pytest

from dlpipe.errors import BadInputError
from pipeline.assembly import create_pipeline
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task
from pipeline.training.tuning import search_space


def _declaring(task="images", **changes):
  """A task and its settings."""
  found = get_task(task)
  return found, found.params.usual().replace(**changes)


@pytest.fixture
def declare(monkeypatch):
  def of(*names, most=0.5, **changes):
    task, params = _declaring(**changes)

    def space(hp, params):
      for name in names:
        hp.Float(name, 0.1, most)

    monkeypatch.setattr(search_space, "load_function", lambda path: space)
    return search_space.declared(task, params)

  return of


def test_known_names_are_the_space(declare):
  assert list(declare("dropout", "learning_rate").values) == ["dropout", "learning_rate"]


@pytest.mark.parametrize(
  ("names", "changes", "said"),
  [
    (["drop_out"], {}, "'drop_out', which is no hyperparameter of images.* Did you mean 'dropout'"),
    (["image_size"], {}, "'image_size', which Transform reads"),
    (["head_l2"], {}, "'head_l2', which the chosen model does not read"),
    (["dropout", "seed"], {}, "'seed', which is no hyperparameter"),
    (["beam_width"], {"task": "translation"}, "'beam_width', which decoding reads"),
    ([], {}, "declares nothing to vary"),
  ],
)
def test_what_no_training_reads_is_refused(declare, names, changes, said):
  with pytest.raises(BadInputError, match=said):
    declare(*names, **changes)


@pytest.mark.parametrize(
  ("name", "most", "said"),
  [
    ("dropout", 1.0, "'dropout' up to 1.0, and it must be a number of at least 0 and below 1."),
    ("min_steps", 9.0, "'min_steps' up to 0.1, and it must be a whole number of at least 0."),
  ],
)
def test_values_that_a_setting_does_not_take_are_refused(declare, name, most, said):
  assert list(declare("dropout", most=0.9).values) == ["dropout"]
  with pytest.raises(BadInputError, match=re.escape(said)):
    declare(name, most=most)


def test_what_a_backbone_reads_may_vary_with_one(declare):
  assert list(declare("head_l2", backbone="squeezenet").values) == ["head_l2"]


def test_the_pipeline_is_not_drawn_around_a_wrong_space(monkeypatch, tmp_path):
  task = get_task("images")
  monkeypatch.setattr(
    "pipeline.tasks.images.model.search_space", lambda hp, _: hp.Float("lerning_rate", 0.1, 1.0)
  )

  def draw(*settings, train_and_push=True):
    config = make_config(
      task, data_path=str(tmp_path), workspace=str(tmp_path / "w"), settings=settings
    )
    return create_pipeline(
      task,
      config,
      source=task.sources["folder"],
      params=config.params(task).replace(image_size=8),
      train_and_push=train_and_push,
    )

  with pytest.raises(BadInputError, match="Did you mean 'learning_rate'"):
    draw("tune.trials=2")
  draw("tune.trials=2", train_and_push=False)
  draw()
