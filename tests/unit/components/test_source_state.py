"""`SourceState` tells a change of the input, and of nothing else."""

import json

import pytest

from components.source_state import SourceState
from dlpipe.errors import BadInputError

_PLAN_FN = "pipeline.tasks.images.sources.folder.plan"


def _fingerprint(path):
  found = SourceState.test_call(
    plan_fn=_PLAN_FN, data_path=str(path), options=json.dumps({"max_pixels": 1000})
  )
  return found["fingerprint"]


def test_it_changes_with_the_input(class_folders, make_picture):
  pictures = class_folders("cat", "dog")
  first = _fingerprint(pictures)
  assert first
  assert _fingerprint(pictures) == first
  (pictures / "cat" / "new.png").write_bytes(make_picture(seed=9))
  assert _fingerprint(pictures) != first


def test_it_is_what_the_source_plans(class_folders):
  from pipeline.tasks.images.sources import folder

  pictures = class_folders("cat", "dog")
  assert _fingerprint(pictures) == folder.plan(str(pictures), {"max_pixels": 1000}).fingerprint


def test_an_input_that_is_not_there_is_bad_input(tmp_path):
  with pytest.raises(BadInputError, match="nothing"):
    _fingerprint(tmp_path / "nothing")
