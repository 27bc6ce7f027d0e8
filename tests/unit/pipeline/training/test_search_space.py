"""What a Tuner may vary, refused before anything is read."""

import pytest

from dlpipe.errors import BadInputError
from pipeline.assembly import create_pipeline
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task
from pipeline.training import search_space


def _declaring(task="images", **changes):
  """A task and its values."""
  found = get_task(task)
  values = {**found.hyperparameters, **found.decoding, **changes}
  return found, values


@pytest.fixture
def declare(monkeypatch):
  def of(*names, **changes):
    task, values = _declaring(**changes)

    def space(hp, hyperparameters):
      for name in names:
        hp.Float(name, 0.1, 0.5)

    monkeypatch.setattr(search_space, "load_function", lambda path: space)
    return search_space.declared(task, values)

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
      hyperparameters={**config.hyperparameters(task), "image_size": 8},
      train_and_push=train_and_push,
    )

  with pytest.raises(BadInputError, match="Did you mean 'learning_rate'"):
    draw("tune.trials=2")
  draw("tune.trials=2", train_and_push=False)
  draw()
