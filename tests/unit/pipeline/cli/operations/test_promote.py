"""`dlpipe promote`, `pin` and `rollback`: what is live, what servers are told, and who said why."""

import getpass
import json

import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from components.versioned_pusher import candidates, mirror, stages
from components.versioned_pusher.publish import publish
from components.versioned_pusher.version_folders import list_versions
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote import stores
from dlpipe.workspace import TaskFolder
from pipeline.cli.commands.rollback import rollback
from pipeline.cli.commands.status import status
from pipeline.cli.operations.pin import pin
from pipeline.cli.operations.promote import promote


@pytest.fixture
def folder(tmp_path):
  """Version 1 is live, 2 waits."""
  found = TaskFolder(tmp_path / "images")
  for name, put in (("a", publish), ("b", candidates.hold)):
    model = tmp_path / name
    model.mkdir()
    (model / "saved_model.pb").write_text(name)
    put(model, found.serving)
  return found


@pytest.fixture
def invoke(tmp_path):
  def run(command, *arguments):
    return (
      CliRunner()
      .invoke(command, [*arguments, "--workspace", str(tmp_path)], catch_exceptions=False)
      .stdout
    )

  return run


def _config(path):
  text = path.read_text()
  [config] = text_format.Parse(
    text, model_server_config_pb2.ModelServerConfig()
  ).model_config_list.config
  return config


def test_a_candidate_becomes_the_canary_and_then_live(folder, invoke):
  found = json.loads(invoke(promote, "images", "--to", "canary", "--reason", "try it", "--json"))
  assert found == {
    "task": "images",
    "version": 2,
    "stage": "canary",
    "served_as": 2,
    "live": 3,
    "serving_dir": str(folder.serving),
  }
  config = _config(folder.models_config)
  assert dict(config.version_labels) == {"canary": 2, "stable": 3}
  assert config.base_path == str(folder.serving)
  assert config.model_version_policy.latest.num_versions == 3
  inside = _config(folder.serving / "models.config")
  assert (inside.base_path, dict(inside.version_labels)) == (
    "/models/images",
    {"canary": 2, "stable": 3},
  )
  assert "version 2 is live, as version 4" in invoke(promote, "images", "--reason", "it is better")
  assert dict(_config(folder.models_config).version_labels) == {"stable": 4}
  [told] = json.loads(invoke(status, "images", "--json"))["tasks"]
  assert [(c["what"], c["version"], c["became"], c["reason"]) for c in told["changes"]] == [
    ("labelled", 2, 2, "try it"),
    ("promoted", 2, 4, "it is better"),
  ]
  assert told["changes"][0]["by"].startswith(f"{getpass.getuser()}@")
  said = invoke(status, "images")
  assert "  Labels   stable 4" in said
  assert "promoted 2 as 4 by " in said
  assert said.rstrip().count(": it is better") == 1


def test_labels_follow_a_rollback_and_a_push(folder, invoke, tmp_path):
  invoke(promote, "images")
  assert dict(_config(folder.models_config).version_labels) == {"stable": 2}
  invoke(rollback, "images", "--reason", "wrong on Mondays")
  assert dict(_config(folder.models_config).version_labels) == {"stable": 3}
  [told] = json.loads(invoke(status, "images", "--json"))["tasks"]
  last = told["changes"][-1]
  assert (last["what"], last["version"], last["became"], last["reason"]) == (
    "rolled_back",
    1,
    3,
    "wrong on Mondays",
  )


def test_where_nobody_promotes_no_server_is_told_of_labels(folder, invoke, tmp_path):
  (tmp_path / "c").mkdir()
  (tmp_path / "c" / "saved_model.pb").write_text("c")
  publish(tmp_path / "c", folder.serving)
  invoke(rollback, "images")
  assert not folder.models_config.exists()
  assert not (folder.serving / "models.config").exists()


def test_a_pin_is_shown_and_can_be_removed(folder, invoke):
  invoke(pin, "images", "1", "--reason", "the auditors ask for it")
  said = invoke(status, "images")
  assert "  Pinned   1" in said
  assert "pinned 1 by " in said
  assert list_versions(folder.serving) == [1]
  with pytest.raises(BadInputError, match=r"There is no version 9 in .* Versions there: 1, 2\."):
    invoke(pin, "images", "9")
  invoke(pin, "images", "1", "--remove")
  assert "Pinned" not in invoke(status, "images")
  with pytest.raises(BadInputError, match="Version 1 is not pinned. Pinned versions: none."):
    invoke(pin, "images", "1", "--remove")


def test_a_refused_promotion_changes_nothing(folder, invoke):
  with pytest.raises(BadInputError, match="Version 1 is live already"):
    invoke(promote, "images", "1")
  assert not folder.stages.exists()
  assert not folder.models_config.exists()


def test_a_pin_follows_the_model_to_its_new_number(folder, invoke, tmp_path):
  invoke(pin, "images", "2", "--reason", "the auditors ask for it")
  (tmp_path / "c").mkdir()
  (tmp_path / "c" / "saved_model.pb").write_text("c")
  publish(tmp_path / "c", folder.serving)
  assert "as version 4" in invoke(promote, "images", "2")
  assert stages.read(folder).pins == [4]


def test_killed_before_the_labels_moved_the_next_command_moves_them(folder, invoke, tmp_path):
  invoke(promote, "images")
  (tmp_path / "c").mkdir()
  (tmp_path / "c" / "saved_model.pb").write_text("c")
  publish(tmp_path / "c", folder.serving)  # and no more
  assert dict(_config(folder.models_config).version_labels) == {"stable": 2}
  with pytest.raises(BadInputError, match="Version 3 is live already"):
    invoke(promote, "images", "3")
  assert dict(_config(folder.models_config).version_labels) == {"stable": 3}


def test_status_names_no_canary_as_the_way_back(folder, invoke, tmp_path):
  (tmp_path / "c").mkdir()
  (tmp_path / "c" / "saved_model.pb").write_text("c")
  publish(tmp_path / "c", folder.serving)
  invoke(promote, "images", "2", "--to", "canary")
  assert "  Back     dlpipe rollback images --to 1" in invoke(status, "images")


def test_a_reason_of_several_lines_stays_on_its_line(folder, invoke):
  reason = 'wrong on "Mondays"\nand\x1b[2J slow'
  invoke(promote, "images", "--reason", reason)
  said = invoke(status, "images")
  assert ': wrong on "Mondays" and [2J slow' in said
  assert "\x1b" not in said
  [told] = json.loads(invoke(status, "images", "--json"))["tasks"]
  assert told["changes"][-1]["reason"] == reason


def test_what_becomes_live_is_copied_to_the_store(folder, invoke, bucket):
  mirror.remember(folder, "s3://b/images")
  said = invoke(promote, "images", "2", "--to", "canary")
  assert "What is live is copied to s3://b/images/3; the canary is not" in said
  assert "What is live is copied to s3://b/images/4" in invoke(promote, "images")
  assert (bucket / "images" / "4" / "saved_model.pb").read_text() == "b"
  found = json.loads(invoke(rollback, "images", "--json"))
  assert found["copied_to"] == "s3://b/images/5"
  assert (bucket / "images" / "5" / "saved_model.pb").read_text() == "a"
  assert "What is live is copied to s3://b/images/6" in invoke(rollback, "images", "--to", "4")


def test_after_a_lost_connection_promoting_again_copies_what_is_live(
  folder, invoke, bucket, monkeypatch
):
  mirror.remember(folder, "s3://b/images")

  def lost(self, name, content):
    raise OSError("AWS Error NETWORK_CONNECTION during PutObject operation: curlCode: 7")

  with monkeypatch.context() as patch:
    patch.setattr(stores._Filesystem, "write", lost)
    with pytest.raises(
      DlpipeError, match=r"To copy it: dlpipe promote images 2 --workspace"
    ) as err:
      invoke(promote, "images")
  assert err.value.exit_code == 1
  assert list_versions(folder.serving) == [1, 2], "it is live all the same"
  said = invoke(promote, "images", "2")
  assert said == "images: version 2 is live already; copied to s3://b/images/2\n"
  with pytest.raises(BadInputError, match="Version 2 is live already"):
    invoke(promote, "images", "2")
