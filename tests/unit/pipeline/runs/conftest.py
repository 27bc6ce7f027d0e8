"""A pipeline of two nodes, the second of which takes what a node of ours takes."""

import json

import pytest
from tfx import v1 as tfx
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.reviewed_schema import ReviewedSchema
from dlpipe.errors import DataRefusedError


@tfx.dsl.components.component
def Reader(  # noqa: N802
  schema: tfx.dsl.components.InputArtifact[standard_artifacts.Schema],
  copy: tfx.dsl.components.OutputArtifact[standard_artifacts.Schema],
  settings: tfx.dsl.components.Parameter[str],
  code_fingerprint: tfx.dsl.components.Parameter[str],
  input_fingerprint: tfx.dsl.components.Parameter[str],
):
  """Reads nothing, and fails or refuses where its settings say so."""
  if "refused" in settings:
    raise DataRefusedError("not fit to train on")
  if "broken" in settings:
    raise ValueError("broken")


@pytest.fixture
def reader_pipeline():
  """Returns a function that makes the pipeline, ReviewedSchema before Reader."""

  def make(root, *, text="feature {}", cached=True, code="c1", data="d1", **settings):
    schema = ReviewedSchema(text=text)
    reader = Reader(
      schema=schema.outputs["schema"],
      settings=json.dumps(settings),
      code_fingerprint=code,
      input_fingerprint=data,
    )
    return Pipeline(
      pipeline_name="test",
      pipeline_root=str(root / "artifacts"),
      components=[schema, reader],
      enable_cache=cached,
    )

  return make
