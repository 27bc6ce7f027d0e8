"""`ReviewedSchema`: the schema's text becomes an artifact like SchemaGen's."""

import pathlib

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.reviewed_schema import ReviewedSchema
from dlpipe.errors import BadInputError

_TEXT = """
# A comment that is for people.
feature { name: "label" type: BYTES presence { min_fraction: 1.0 min_count: 1 } }
"""


def _run(tmp_path, text):
  artifact = standard_artifacts.Schema()
  artifact.uri = str(tmp_path)
  outputs = ReviewedSchema(text=text).outputs
  assert outputs["schema"].type is standard_artifacts.Schema
  ReviewedSchema.test_call(text=text, schema=artifact)


def test_the_artifact_reads_back_where_schema_gen_writes(tmp_path):
  _run(tmp_path, _TEXT)
  assert [p.name for p in tmp_path.iterdir()] == ["schema.pbtxt"]
  read = io_utils.SchemaReader().read(str(tmp_path / "schema.pbtxt"))
  assert read == text_format.Parse(_TEXT, schema_pb2.Schema())


def test_our_schemas_are_taken(tmp_path):
  root = pathlib.Path(__file__).resolve().parents[3]
  paths = sorted(root.glob("schemas/*/schema.pbtxt"))
  assert paths
  for path in paths:
    _run(tmp_path, path.read_text("utf-8"))
    written = text_format.Parse((tmp_path / "schema.pbtxt").read_text(), schema_pb2.Schema())
    assert written == text_format.Parse(path.read_text("utf-8"), schema_pb2.Schema())


@pytest.mark.parametrize("text", ["feature { nam: 'label' }", "not a schema", "feature {"])
def test_what_is_no_schema_is_bad_input_and_writes_nothing(tmp_path, text):
  with pytest.raises(BadInputError, match="The reviewed schema is not a schema: "):
    _run(tmp_path, text)
  assert list(tmp_path.iterdir()) == []
