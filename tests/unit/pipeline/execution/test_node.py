"""One node of a real compiled pipeline: its states and its outputs."""

import pathlib

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from components.artifacts import TRY_AGAIN
from components.reviewed_schema import ReviewedSchema
from dlpipe import nodes
from dlpipe.causes import user_error
from dlpipe.errors import BadInputError
from pipeline.execution import node
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import open_store

_SCHEMA = 'feature { name: "label" type: BYTES }'


@pytest.fixture
def compiled(tmp_path):
  """Returns a function that compiles two nodes for a run; both of the same text by default."""

  def compile_for(run_id, text=_SCHEMA, other="feature {}"):
    first = ReviewedSchema(text=text)
    second = ReviewedSchema(text=other).with_id("Second")
    second.add_upstream_node(first)
    pipeline = Pipeline(
      pipeline_name="test",
      pipeline_root=str(tmp_path / "artifacts"),
      components=[second, first],
      enable_cache=True,
      metadata_connection_config=metadata.sqlite_metadata_connection_config(
        str(tmp_path / "metadata.db")
      ),
    )
    return node.compile_pipeline(pipeline, run_id)

  return compile_for


def test_ids_come_in_the_order_of_their_dependencies(compiled):
  assert node.node_ids(compiled("r1")) == ("ReviewedSchema", "Second")


def test_the_run_id_is_in_the_compiled_pipeline(compiled):
  found = compiled("run-7").runtime_spec.pipeline_run_id.field_value.string_value
  assert found == "run-7"


def test_the_connection_is_the_pipelines(compiled, tmp_path):
  config = node.connection(compiled("r1"))
  assert isinstance(config, metadata_store_pb2.ConnectionConfig)
  assert config.sqlite.filename_uri == str(tmp_path / "metadata.db")


def test_a_result_that_asks_for_another_try_is_not_taken_from_the_cache(compiled, tmp_path):
  first = node.run_node(compiled("r1"), "ReviewedSchema")
  store = MetadataStore(node.connection(compiled("r1")))
  [schema] = executions.outputs(store, first.execution_id).values()
  schema.custom_properties[TRY_AGAIN].int_value = 1
  store.put_artifacts([schema])
  again = node.run_node(compiled("r2"), "ReviewedSchema")
  assert again.state == nodes.COMPLETE
  # The next result asks for nothing.
  assert node.run_node(compiled("r3"), "ReviewedSchema").state == nodes.CACHED


def test_a_node_completes_and_is_then_cached(compiled):
  first = node.run_node(compiled("r1"), "ReviewedSchema")
  assert first.state == nodes.COMPLETE
  assert first.error is None
  assert 0 < first.seconds < 60
  assert first.peak_rss_mb > 50
  second = node.run_node(compiled("r2"), "ReviewedSchema")
  assert second.state == nodes.CACHED
  assert second.execution_id != first.execution_id


def test_other_parameters_run_again(compiled):
  node.run_node(compiled("r1"), "ReviewedSchema")
  changed = compiled("r2", text='feature { name: "other" }')
  assert node.run_node(changed, "ReviewedSchema").state == nodes.COMPLETE


def test_without_the_cache_every_node_runs_again(compiled):
  for name in ("ReviewedSchema", "Second"):
    node.run_node(compiled("r1"), name)
  again = compiled("r2")
  node.without_cache(again)
  assert node.run_node(again, "ReviewedSchema").state == nodes.COMPLETE
  assert node.run_node(again, "Second").state == nodes.COMPLETE


def test_outputs_of_a_run_and_of_a_cached_run_are_the_same_artifact(compiled):
  first = node.run_node(compiled("r1"), "ReviewedSchema")
  second = node.run_node(compiled("r2"), "ReviewedSchema")
  with open_store(node.connection(compiled("r3"))) as handle:
    made = executions.outputs(handle.store, first.execution_id)
    found = executions.outputs(handle.store, second.execution_id)
  assert list(made) == list(found) == ["schema"]
  assert made["schema"].id == found["schema"].id
  assert '"label"' in (pathlib.Path(made["schema"].uri) / "schema.pbtxt").read_text()


def test_a_failure_is_an_outcome_with_the_error_that_a_person_can_act_on(compiled):
  bad = compiled("r1", text="no schema")
  outcome = node.run_node(bad, "ReviewedSchema")
  assert outcome.state == nodes.FAILED
  known = user_error(outcome.error)
  assert isinstance(known, BadInputError)
  assert str(known).startswith("The reviewed schema is not a schema")
  # What failed is not taken from the cache.
  assert node.run_node(compiled("r2", text="no schema"), "ReviewedSchema").state == "FAILED"


def test_a_node_that_is_not_there_is_an_error(compiled):
  with pytest.raises(BadInputError, match="no node 'Absent'. Its nodes: ReviewedSchema, Second."):
    node.run_node(compiled("r1"), "Absent")


@pytest.mark.parametrize(
  "raised", [KeyboardInterrupt(), RuntimeError("KeyboardInterrupt [while running 'Read']")]
)
def test_an_interrupt_stays_one_though_beam_wraps_it(compiled, monkeypatch, raised):
  def launch(self):
    raise raised

  monkeypatch.setattr(node.attempts.CleanLauncher, "launch", launch)
  with pytest.raises(KeyboardInterrupt):
    node.run_node(compiled("r1"), "ReviewedSchema")
