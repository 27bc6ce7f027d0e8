"""`VersionedPusher` on hand-made artifacts: pushes what both gates blessed and nothing else."""

import json
import logging

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components.versioned_pusher import mirror, stages
from components.versioned_pusher.candidates import promote
from components.versioned_pusher.component import VersionedPusher
from components.versioned_pusher.executor import Executor
from components.versioned_pusher.publish import rollback
from components.versioned_pusher.version_folders import (
  content_digest,
  list_versions,
  version_record,
)
from dlpipe.errors import BadInputError
from dlpipe.progress import FIELDS, LOGGER_NAME
from dlpipe.workspace import TaskFolder


def _artifact(artifact_type, path, **properties):
  path.mkdir(parents=True, exist_ok=True)
  artifact = artifact_type()
  artifact.uri = str(path)
  for name, value in properties.items():
    artifact.set_int_custom_property(name, value)
  return artifact


@pytest.fixture
def push(tmp_path):
  """Runs `Do` on a model whose weights are `text` and returns the `PushedModel`."""

  def run(
    text="one",
    *,
    model_blessed=1,
    behaviour_blessed=1,
    infra_blessed=1,
    serving_dir=None,
    stage=None,
    copy_to=None,
    left_out=(),
  ):
    model = _artifact(standard_artifacts.Model, tmp_path / "Trainer" / text)
    export = tmp_path / "Trainer" / text / "Format-Serving"
    (export / "variables").mkdir(parents=True, exist_ok=True)
    (export / "saved_model.pb").write_text("graph")
    (export / "variables" / "variables.index").write_text(text)
    pushed = _artifact(standard_artifacts.PushedModel, tmp_path / "pushed" / text)
    given = {
      "model": [model],
      "model_blessing": [
        _artifact(standard_artifacts.ModelBlessing, tmp_path / "mb", blessed=model_blessed)
      ],
      "behaviour_blessing": [
        _artifact(standard_artifacts.InfraBlessing, tmp_path / "bb", blessed=behaviour_blessed)
      ],
      "infra_blessing": [
        _artifact(standard_artifacts.InfraBlessing, tmp_path / "ib", blessed=infra_blessed)
      ],
    }
    Executor().Do(
      {name: each for name, each in given.items() if name not in left_out},
      {"pushed_model": [pushed]},
      {
        "serving_dir": serving_dir or str(tmp_path / "serving"),
        **({"stage": stage} if stage else {}),
        **({"copy_to": copy_to} if copy_to else {}),
      },
    )
    return pushed

  return run


def test_blessed_model_is_published(push, tmp_path):
  pushed = push("one")
  base = tmp_path / "serving"
  assert content_digest(base / "1") == content_digest(tmp_path / "Trainer/one/Format-Serving")
  assert pushed.get_int_custom_property("pushed") == 1
  assert pushed.get_string_custom_property("pushed_destination") == str(base / "1")
  assert pushed.get_string_custom_property("pushed_version") == "1"
  assert json.loads((tmp_path / "pushed/one/pushed.json").read_text()) == {
    "pushed": True,
    "version": 1,
    "destination": str(base / "1"),
  }
  assert version_record(base, 1)["pushed_from"] == "Trainer/one"


def test_a_damaged_version_is_pushed_again_and_named(push, tmp_path, caplog):
  push("one")
  (tmp_path / "serving" / "1" / "saved_model.pb").write_text("")
  with caplog.at_level(logging.INFO, logger=LOGGER_NAME):
    assert push("one").get_string_custom_property("pushed_version") == "2"
  assert "is damaged; pushed the model again as version 2" in caplog.text
  written = json.loads((tmp_path / "pushed/one/pushed.json").read_text())
  assert (written["version"], written["repairs"]) == (2, 1)


def test_next_model_is_the_next_version_and_a_retry_is_not(push, tmp_path):
  push("one")
  assert push("two").get_string_custom_property("pushed_version") == "2"
  assert push("two").get_string_custom_property("pushed_version") == "2"
  assert list_versions(tmp_path / "serving") == [1, 2]


def test_a_model_that_was_rolled_back_from_is_not_said_to_be_served(push, tmp_path, caplog):
  push("one")
  push("two")
  assert rollback(tmp_path / "serving") == 3
  with caplog.at_level(logging.INFO, LOGGER_NAME):
    pushed = push("two")
  assert pushed.get_string_custom_property("pushed_version") == "2"
  assert list_versions(tmp_path / "serving") == [1, 2, 3]
  assert caplog.messages[-1] == (
    f"Version 2 is in {tmp_path / 'serving'} already; version 3 stays served"
  )


@pytest.mark.parametrize(
  ("blessed", "refused_by"),
  [
    ((0, 1, 1), ["Evaluator"]),
    ((1, 0, 1), ["BehaviourGate"]),
    ((1, 1, 0), ["ServingGate"]),
    ((0, 1, 0), ["Evaluator", "ServingGate"]),
  ],
)
def test_refused_model_is_not_published(push, tmp_path, caplog, blessed, refused_by):
  names = ("model_blessed", "behaviour_blessed", "infra_blessed")
  with caplog.at_level(logging.INFO, LOGGER_NAME):
    pushed = push(**dict(zip(names, blessed, strict=True)))
  assert pushed.get_int_custom_property("pushed") == 0
  assert not pushed.has_custom_property("pushed_version")
  assert not (tmp_path / "serving").exists()
  assert json.loads((tmp_path / "pushed/one/pushed.json").read_text()) == {
    "pushed": False,
    "refused_by": refused_by,
  }
  assert [getattr(r, FIELDS) for r in caplog.records if r.name == LOGGER_NAME] == [
    {"refused_by": refused_by}
  ]


def test_a_pipeline_that_was_compiled_before_a_gate_was_pushes_nothing(push, tmp_path):
  with pytest.raises(BadInputError, match="it has no BehaviourGate, .* Compile it again"):
    push(left_out=["behaviour_blessing"])
  assert not (tmp_path / "serving").exists()


def test_a_bucket_is_refused_by_name(push):
  with pytest.raises(BadInputError, match="local file system. Received: 'gs://b/serving'"):
    push(serving_dir="gs://b/serving")


def test_component_declares_its_channels_and_properties():
  pusher = VersionedPusher(
    model=types.Channel(type=standard_artifacts.Model),
    model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    behaviour_blessing=types.Channel(type=standard_artifacts.InfraBlessing),
    infra_blessing=types.Channel(type=standard_artifacts.InfraBlessing),
    serving_dir="/srv/models/images",
    code_fingerprint="abc",
  )
  assert pusher.outputs["pushed_model"].type is standard_artifacts.PushedModel
  assert pusher.exec_properties == {
    "card": "",
    "card_facts": "{}",
    "data_options": "{}",
    "stage": "live",
    "serving_dir": "/srv/models/images",
    "code_fingerprint": "abc",
  }


def test_a_candidate_waits_where_no_server_looks(push, tmp_path):
  push("one")
  pushed = push("two", stage="candidate")
  assert pushed.get_string_custom_property("pushed_version") == "2"
  held = tmp_path / "serving" / "candidates" / "2"
  assert pushed.get_string_custom_property("pushed_destination") == str(held)
  assert content_digest(held) == content_digest(tmp_path / "Trainer" / "two" / "Format-Serving")
  assert list_versions(tmp_path / "serving") == [1]
  again = push("two", stage="candidate")
  assert again.get_string_custom_property("pushed_version") == "2"


def test_labels_follow_a_push_once_they_are_in_use(push, tmp_path):
  folder = TaskFolder.of_serving(str(tmp_path / "serving"))
  push("one")
  assert not folder.models_config.exists()
  with stages.edited(folder) as found:
    found.uses_labels = True
  push("two")
  assert stages.read(folder).labels == {"stable": 2}
  assert 'key: "stable" value: 2' in folder.models_config.read_text()


def test_where_the_labels_cannot_be_read_nothing_is_published(push, tmp_path):
  push("one")
  TaskFolder.of_serving(str(tmp_path / "serving")).stages.write_text("{")
  with pytest.raises(BadInputError, match="stages.json cannot be used"):
    push("two")
  assert list_versions(tmp_path / "serving") == [1]


def test_what_is_live_is_copied_to_the_store_and_a_candidate_when_it_is(push, tmp_path, bucket):
  push("one", copy_to="s3://b/images/")
  assert (bucket / "images" / "1" / "UPLOADED").exists()
  push("two", copy_to="s3://b/images/", stage="candidate")
  assert [path.name for path in (bucket / "images").iterdir()] == ["1"]
  assert mirror.copy_live(TaskFolder(tmp_path)) == "s3://b/images/1"
  promote(tmp_path / "serving")
  assert mirror.copy_live(TaskFolder(tmp_path)) == "s3://b/images/2"
