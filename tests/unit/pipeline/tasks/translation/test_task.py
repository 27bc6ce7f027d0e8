"""The translation task's settings, before anything is read."""

import pytest

from dlpipe.errors import BadInputError
from pipeline.settings.reading import make_config
from pipeline.tasks.translation.task import TASK


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    ("decode.beam_width=0", "decode.beam_width must be a whole number from 1 to 100, such as 4."),
    ("decode.length_penalty=-1", "must be a number from 0 to 10, such as 0.6. Received: -1.0"),
    ("model.max_pieces=1", "must be a whole number from 2 to 1,000, such as 64. Received: 1"),
    ("model.dropout=1.5", "must be a number from 0 to 0.9, such as 0.25. Received: 1.5"),
    ("model.clip_norm=0", "must be a number above 0, such as 1.0. Received: 0.0"),
  ],
)
def test_a_value_out_of_bounds_is_bad_input(setting, message):
  with pytest.raises(BadInputError) as caught:
    make_config(TASK, data_path="x", workspace="w", settings=[setting])
  assert message in str(caught.value)


def test_decoding_options_have_a_section_of_their_own():
  config = make_config(TASK, data_path="x", workspace="w", settings=["decode.beam_width=2"])
  assert config.params(TASK).beam_width == 2
  with pytest.raises(BadInputError, match="Did you mean decode.beam_width"):
    make_config(TASK, data_path="x", workspace="w", settings=["model.beam_width=2"])
  with pytest.raises(BadInputError, match="decode.beam_width must be a whole number"):
    make_config(TASK, data_path="x", workspace="w", settings=["decode.beam_width=wide"])
