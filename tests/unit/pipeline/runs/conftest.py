"""A pipeline of two nodes, the second of which takes what a node of ours takes."""

import json

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.reviewed_schema import ReviewedSchema
from dlpipe.errors import DataRefusedError


@component
def Reader(  # noqa: N802
  schema: InputArtifact[standard_artifacts.Schema],
  copy: OutputArtifact[standard_artifacts.Schema],
  settings: Parameter[str],
  code_fingerprint: Parameter[str],
  input_fingerprint: Parameter[str],
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
