"""`PreviousBlessedModel` on artifacts as TFX's Evaluator and Trainer leave them."""

import logging
import os
import re

import pytest
from tfx.components.evaluator import constants
from tfx.types import standard_artifacts

from components.previous_model import PreviousBlessedModel
from dlpipe import progress


@pytest.fixture(autouse=True)
def _in_a_folder_of_models(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)


def _model(artifact_id, *, is_there=True):
  model = standard_artifacts.Model()
  model.id = artifact_id
  model.uri = os.path.abspath(str(artifact_id))
  if is_there:
    os.makedirs(model.uri, exist_ok=True)
  return model


def _blessing(artifact_id, model_id, *, blessed):
  blessing = standard_artifacts.ModelBlessing()
  blessing.id = artifact_id
  blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model_id)
  blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
  return blessing


def _resolve(models, blessings, candidates, gone=()):
  found = PreviousBlessedModel().resolve_artifacts(
    None,
    {
      "model": [_model(i, is_there=i not in gone) for i in models],
      "model_blessing": [
        _blessing(100 + n, model, blessed=blessed) for n, (model, blessed) in enumerate(blessings)
      ],
      "candidate": [_model(i) for i in candidates],
    },
  )
  assert [m.id for m in found["candidate"]] == list(candidates)
  model_key = constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
  of_blessings = [b.get_int_custom_property(model_key) for b in found["model_blessing"]]
  assert of_blessings == [m.id for m in found["model"]]
  return of_blessings


@pytest.mark.parametrize(
  ("models", "blessings", "candidates", "expected"),
  [
    ([], [], [], []),
    ([5], [], [5], []),
    # A cached candidate, blessed in an earlier run, is not compared with itself.
    ([5], [(5, True)], [5], []),
    ([3, 5], [(3, True), (5, True)], [5], [3]),
    # A model that was refused, or never evaluated, is passed over.
    ([1, 3, 5], [(1, True), (3, False)], [5], [1]),
    ([1, 3, 5], [(1, True)], [5], [1]),
    # Models newer than the candidate do not count: the candidate came out of the cache.
    ([1, 3, 5, 7], [(1, True), (7, True)], [3], [1]),
    # The store lists in any order.
    ([7, 1, 3], [(3, True), (7, True), (1, True)], [9], [7]),
    # Without a candidate, the latest.
    ([1, 3], [(1, True), (3, True)], [], [3]),
    # Blessed once, it was pushed and serves, whatever a later evaluation with other gates says.
    ([1, 3], [(1, True), (1, False)], [3], [1]),
  ],
)
def test_the_latest_blessed_model_before_the_candidate(models, blessings, candidates, expected):
  assert _resolve(models, blessings, candidates) == expected


@pytest.mark.parametrize(
  ("gone", "expected", "said"),
  [
    ((5,), [3], "5, is gone: compared with .*3$"),
    ((1, 3, 5), [], "5, is gone: compared with none$"),
    # Nobody asks for an older one.
    ((1, 3), [5], None),
  ],
)
def test_a_model_whose_files_are_gone_is_passed_over_and_named(gone, expected, said, caplog):
  caplog.set_level(logging.INFO, progress.LOGGER_NAME)
  blessed = [(1, True), (3, True), (5, True)]
  assert _resolve([1, 3, 5, 7], blessed, [7], gone=gone) == expected
  if said is None:
    assert caplog.messages == []
  else:
    [message] = caplog.messages
    assert re.search(said, message)
