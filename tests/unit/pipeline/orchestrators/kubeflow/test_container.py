"""What the entry point changes between the backend and TFX's executor."""

import json

import pytest

from pipeline.orchestrators.kubeflow.container import (
  localise,
  main,
  make_folders,
  mounts,
  restore,
  run,
)
from pipeline.orchestrators.kubeflow.note_taking import Notes

FOLDERS = mounts("/")


def _artifacts(**uris):
  return {key: {"artifacts": [{"uri": uri}]} for key, uri in uris.items()}


def _invocation(*, inputs=None, outputs=None, values=None, output_file="/nowhere"):
  return {
    "inputs": {"artifacts": _artifacts(**inputs or {}), "parameterValues": values or {}},
    "outputs": {"artifacts": _artifacts(**outputs or {}), "outputFile": str(output_file)},
  }


def _uris(artifacts):
  return {key: value["artifacts"][0]["uri"] for key, value in artifacts.items()}


def test_addresses_become_paths():
  invocation = _invocation(
    inputs={"a": "minio://bucket/v2/a", "b": "gs://bucket/b"},
    outputs={"c": "s3://bucket/c", "d": "/local/d"},
    output_file="gs://bucket/output.json",
  )
  assert localise(invocation, FOLDERS)
  assert _uris(invocation["inputs"]["artifacts"]) == {
    "a": "/minio/bucket/v2/a",
    "b": "/gcs/bucket/b",
  }
  outputs = invocation["outputs"]
  assert _uris(outputs["artifacts"]) == {"c": "/s3/bucket/c", "d": "/local/d"}
  assert outputs["outputFile"] == "/gcs/bucket/output.json"


def test_without_addresses_nothing_moves():
  invocation = _invocation(inputs={"a": "/local/a"}, outputs={"b": "gs://bucket/b"})
  before = json.dumps(invocation)
  assert not localise(invocation, {"s3://": "/s3/"})
  assert json.dumps(invocation) == before


def test_paths_become_addresses_again():
  output = {"artifacts": _artifacts(a="/minio/bucket/a", b="/s3/bucket/b", c="/gcs/bucket/c")}
  restore(output, FOLDERS)
  assert _uris(output["artifacts"]) == {
    "a": "minio://bucket/a",
    "b": "s3://bucket/b",
    "c": "gs://bucket/c",
  }


def test_an_object_among_the_parameters_becomes_text():
  invocation = _invocation(values={"final_status": {"state": "FAILED"}, "n": 1.0, "s": "x"})
  localise(invocation, FOLDERS)
  values = invocation["inputs"]["parameterValues"]
  assert json.loads(values.pop("final_status")) == {"state": "FAILED"}
  assert values == {"n": 1.0, "s": "x"}


def test_folders_are_made_for_artifacts_and_not_for_values(tmp_path):
  invocation = _invocation(outputs={"model": str(tmp_path / "m"), "value": str(tmp_path / "v")})
  outputs = invocation["outputs"]["artifacts"]
  outputs["model"]["artifacts"][0]["type"] = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
  outputs["value"]["artifacts"][0]["type"] = {"schemaTitle": "tfx.String"}
  make_folders(invocation)
  assert (tmp_path / "m").is_dir()
  assert not (tmp_path / "v").exists()


def test_run_hands_on_paths_and_leaves_addresses(tmp_path):
  folders = mounts(str(tmp_path))
  output_file = tmp_path / "output_metadata.json"
  given = _invocation(outputs={"c": "minio://bucket/c"}, output_file=output_file)
  seen = []

  def execute(arguments):
    seen.extend(arguments)
    older = str(tmp_path / "minio" / "bucket" / "older")
    output_file.write_text(json.dumps({"artifacts": _artifacts(c=older)}))

  arguments = ["--json_serialized_invocation_args", json.dumps(given), "--runner=DirectRunner"]
  run(arguments, execute, folders, Notes(None))
  folder = tmp_path / "minio" / "bucket" / "c"
  assert _uris(json.loads(seen[1])["outputs"]["artifacts"]) == {"c": str(folder)}
  assert folder.is_dir()
  assert seen[2] == "--runner=DirectRunner"
  assert _uris(json.loads(output_file.read_text())["artifacts"]) == {"c": "minio://bucket/older"}


@pytest.fixture
def source_state(tmp_path):
  """The arguments of a real node, `SourceState`, for a path."""

  def make(data_path):
    invocation = _invocation(
      outputs={"fingerprint": str(tmp_path / "fingerprint")},
      values={
        "plan_fn": "pipeline.tasks.images.sources.folder.plan",
        "data_path": str(data_path),
        "options": json.dumps({"max_pixels": 1000}),
      },
      output_file=tmp_path / "output_metadata.json",
    )
    kind = {"schemaTitle": "tfx.String"}
    invocation["outputs"]["artifacts"]["fingerprint"]["artifacts"][0]["type"] = kind
    invocation["outputs"]["parameters"] = {"fingerprint": {"outputFile": "/nowhere"}}
    names = ("plan_fn", "data_path", "options")
    definitions = {"parameters": {name: {"parameterType": "STRING"} for name in names}}
    return [
      "--executor_class_path",
      "components.source_state.SourceState_Executor",
      "--json_serialized_invocation_args",
      json.dumps(invocation),
      "--json_serialized_inputs_spec_args",
      json.dumps(definitions),
    ]

  return make


def test_a_node_runs_and_its_value_is_a_parameter(source_state, class_folders, tmp_path):
  pictures = class_folders("cat", "dog")

  def fingerprint():
    assert main(source_state(pictures)) == 0
    output = tmp_path / "output_metadata.json"
    found = json.loads(output.read_text())["parameterValues"]["fingerprint"]
    output.unlink()  # what is there would be read as a driver's output
    return found

  first = fingerprint()
  assert first
  assert fingerprint() == first
  (pictures / "cat" / "0.png").unlink()
  assert fingerprint() != first


def test_an_error_of_ours_is_one_message_and_its_code(source_state, tmp_path, capfd):
  assert main(source_state(tmp_path / "nothing")) == 2
  error = capfd.readouterr().err.splitlines()[-1]
  assert error.startswith("Error: ")
  assert "nothing" in error
