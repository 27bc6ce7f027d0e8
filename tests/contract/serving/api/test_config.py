"""The configuration: replaced by a call or in its file, while the server serves."""

import shutil
import time

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2

from serving.errors import FailedPrecondition

REQUESTS = ":tensorflow:serving:request_count"


@pytest.fixture(scope="module")
def base(models, tmp_path_factory):
  """Versions 1 (+2) and 2 (+3)."""
  path = tmp_path_factory.mktemp("config") / "m"
  shutil.copytree(models / "half_plus", path)
  return path


@pytest.fixture(scope="module")
def reloaded(start, base):
  return start("--model_name=m", f"--model_base_path={base}")


def _entry(path, name="m", more="", platform="tensorflow"):
  shown = f'model_platform: "{platform}"' if platform else ""
  return f'config {{ name: "{name}" base_path: "{path}" {shown} {more} }}'


def _reload(server, *entries, metrics=()):
  request = model_management_pb2.ReloadConfigRequest(metric_names=metrics)
  if entries:
    text_format.Parse(f"model_config_list {{ {' '.join(entries)} }}", request.config)
  return server.models.HandleReloadConfigRequest(request, timeout=120)


def _answer(server, **spec):
  return list(server.predict("m", {"x": [2.0]}, **spec).outputs["y"].float_val)


def test_models_policies_and_labels_are_replaced(reloaded, tools, models, base):
  assert reloaded.states("m")[2] == "AVAILABLE"
  both = "model_version_policy { specific { versions: 1 versions: 2 } }"
  answer = _reload(reloaded, _entry(base, more=both), _entry(models / "many", "n"))
  assert answer.status.error_code == 0
  assert reloaded.states("n") == {1: "AVAILABLE"}
  reloaded.wait_for("m", v1="AVAILABLE", v2="AVAILABLE")

  labels = "version_labels { key: 'stable' value: 1 }"
  _reload(reloaded, _entry(base, more=f"model_version_policy {{ all {{}} }} {labels}"))
  assert _answer(reloaded, label="stable") == [3.0]
  assert _answer(reloaded) == [4.0]
  reloaded.wait_for("n", v1="END")

  _reload(reloaded, _entry(base))
  found = tools.refused(lambda: _answer(reloaded, label="stable"))
  assert found == ("INVALID_ARGUMENT", "Unrecognized servable version label: stable")
  reloaded.wait_for("m", v1="END", v2="AVAILABLE")


def test_the_metrics_that_are_asked_for_are_told(reloaded, base):
  answer = _reload(reloaded, _entry(base), metrics=[REQUESTS, "unknown"])
  found = [(metric.name, metric.int64_value_increase) for metric in answer.metric]
  assert found == [(REQUESTS, 0)]


LABEL_OF_NOBODY = "version_labels { key: 'l' value: 77 }"


@pytest.mark.parametrize(
  ("entries", "code", "message"),
  [
    (
      [],
      "INVALID_ARGUMENT",
      (
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList "
        "is currently supported"
      ),
    ),
    (
      [_entry("/p"), _entry("/p")],
      "INVALID_ARGUMENT",
      "Illegal to list model m multiple times in config list",
    ),
    (
      [_entry("some/path")],
      "INVALID_ARGUMENT",
      "Expected model m to have an absolute path or URI; got base_path()=some/path",
    ),
    (
      [_entry("/p", "q", platform="")],
      "INVALID_ARGUMENT",
      (
        "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
        "ModelServerConfig::model_platform, model name is q"
      ),
    ),
    (
      [_entry("/p", "q", platform="onnx")],
      "INVALID_ARGUMENT",
      "Model q requests unsupported platform onnx",
    ),
    (
      [_entry("/p", "m", platform="onnx")],
      "INVALID_ARGUMENT",
      (
        "Illegal to change a model's platform. For model m platform was tensorflow and new "
        "platform requested is onnx"
      ),
    ),
    (
      [_entry("/p", more=LABEL_OF_NOBODY)],
      "FAILED_PRECONDITION",
      (
        "Request to assign label to version 77 of model m, which is not currently available for "
        "inference"
      ),
    ),
  ],
)
def test_a_configuration_that_is_refused_changes_nothing(reloaded, tools, entries, code, message):
  assert tools.refused(lambda: _reload(reloaded, *entries)) == (code, message)
  assert _answer(reloaded) == [4.0]


def test_a_new_model_that_cannot_be_loaded(reloaded, tools, base, tmp_path):
  (tmp_path / "1").mkdir()
  code, message = tools.refused(lambda: _reload(reloaded, _entry(base), _entry(tmp_path, "b")))
  assert code == "UNKNOWN"
  assert message.startswith(
    "1 model(s) did not become available: {{name: b version: 1} due to error: NOT_FOUND: Could "
    "not find SavedModel .pb or .pbtxt at supplied export directory path: "
  )
  assert _answer(reloaded) == [4.0]
  _reload(reloaded, _entry(base))


def test_the_file_is_polled_and_a_broken_one_changes_nothing(
  start, tools, models, tmp_path, caplog
):
  model = ("m", models / "half_plus", "")
  config = tools.write_config(tmp_path / "models.config", model)
  server = start(f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1")
  assert _answer(server) == [4.0]
  config.write_text("model_config_list { config { nam")
  time.sleep(1.5)
  assert _answer(server) == [4.0]
  assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in caplog.text
  tools.write_config(config, model, ("types", models / "types", ""))
  server.wait_for("types", v1="AVAILABLE")
  answer = server.predict("types", {"x": np.int64([7])}, signature="int64")
  assert answer.outputs["y"].int64_val == [7]


def test_a_label_in_the_first_configuration_needs_its_flag(start, tools, models, tmp_path):
  labels = "version_labels { key: 'stable' value: 2 }"
  config = tools.write_config(tmp_path / "models.config", ("m", models / "half_plus", labels))
  with pytest.raises(FailedPrecondition, match="Request to assign label to version 2 of model m"):
    start(f"--model_config_file={config}")
