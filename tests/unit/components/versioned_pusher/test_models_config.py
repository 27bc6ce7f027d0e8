"""The file of labels is protobuf's text format, whatever the names of folders."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from components.versioned_pusher import models_config
from dlpipe.workspace import TaskFolder


@pytest.mark.parametrize("name", ["Prüfung 日本 \U0001f600", 'a "quote" and a \\', "tab\tand\x01"])
def test_a_folder_of_any_name_can_be_read_back(tmp_path, name):
  folder = TaskFolder(tmp_path / name / "images")
  (folder.serving / "3").mkdir(parents=True)
  models_config.write(folder, {"stable": 3})
  text = folder.models_config.read_text(encoding="utf-8")
  found = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
  [config] = found.model_config_list.config
  assert (config.base_path, dict(config.version_labels)) == (str(folder.serving), {"stable": 3})
