"""The translation task's settings, before anything is read."""

import pytest

from components.errors import BadInputError
from pipeline.settings import make_config
from pipeline.tasks.translation.task import TASK


def _infer(*settings):
  config = make_config(TASK, data_path="x", workspace="w", settings=settings)
  return TASK.infer_hyperparameters("tsv", "x", {}, config.hyperparameters(TASK))


def test_defaults_and_tiny_values_are_within_bounds():
  assert _infer() == {}
  tiny = make_config(TASK, data_path="x", workspace="w", tiny=True).hyperparameters(TASK)
  assert TASK.infer_hyperparameters("tsv", "x", {}, tiny) == {}


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    ("decode.beam_width=0", "decode.beam_width must be from 1 to 100. Received: 0"),
    ("decode.length_penalty=-1", "decode.length_penalty must be from 0 to 10. Received: -1.0"),
    ("model.max_pieces=1", "model.max_pieces must be from 2 to 1,000. Received: 1"),
    ("model.dropout=1.5", "model.dropout must be from 0 to 0.9. Received: 1.5"),
    ("model.clip_norm=0", "model.clip_norm must be above 0. Received: 0.0"),
  ],
)
def test_a_value_out_of_bounds_is_bad_input(setting, message):
  with pytest.raises(BadInputError) as caught:
    _infer(setting)
  assert str(caught.value) == message


def test_decoding_options_have_a_section_of_their_own():
  config = make_config(TASK, data_path="x", workspace="w", settings=["decode.beam_width=2"])
  assert config.hyperparameters(TASK)["beam_width"] == 2
  with pytest.raises(BadInputError, match="Did you mean decode.beam_width"):
    make_config(TASK, data_path="x", workspace="w", settings=["model.beam_width=2"])
  with pytest.raises(BadInputError, match="decode.beam_width must be of type int"):
    make_config(TASK, data_path="x", workspace="w", settings=["decode.beam_width=wide"])
