"""A compiled pipeline as a file: read back, its runtime parameters, and what cannot be read."""

import pytest
from tfx.dsl.compiler import compiler
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from components.source_example_gen.component import SourceExampleGen
from dlpipe.errors import BadInputError
from pipeline.execution import ir


@pytest.fixture
def pipeline(tmp_path):
  """Returns a pipeline of one node, whose data path is a runtime parameter."""
  data = SourceExampleGen(
    plan_fn="m.plan",
    read_fn="m.read",
    data_path=RuntimeParameter(name="data-path", ptype=str, default="there"),
    options={},
    label_key="",
    code_fingerprint="",
    val_fraction=0.25,
  )
  return Pipeline(
    pipeline_name="test", pipeline_root=str(tmp_path / "artifacts"), components=[data]
  )


def test_what_is_read_is_what_was_compiled(pipeline, tmp_path):
  path = tmp_path / "deep" / "ir.json"
  written = ir.write_ir(pipeline, path)
  assert ir.read_ir(path) == written == compiler.Compiler().compile(pipeline)
  assert [p.name for p in path.parent.iterdir()] == ["ir.json"]
  assert path.stat().st_mode & 0o777 == 0o644


def test_open_parameters_have_types_and_defaults(pipeline, tmp_path):
  compiled = ir.write_ir(pipeline, tmp_path / "ir.json")
  assert ir.parameters(compiled) == {
    "pipeline-run-id": (str, None),
    "pipeline-root": (str, str(tmp_path / "artifacts")),
    "data-path": (str, "there"),
  }


@pytest.mark.parametrize(("given", "expected"), [({}, "there"), ({"data-path": "x"}, "x")])
def test_binding_leaves_nothing_open(pipeline, tmp_path, given, expected):
  compiled = ir.write_ir(pipeline, tmp_path / "ir.json")
  ir.bind(compiled, "run-7", given)
  assert ir.parameters(compiled) == {}
  assert compiled.runtime_spec.pipeline_run_id.field_value.string_value == "run-7"
  values = compiled.nodes[0].pipeline_node.parameters.parameters
  assert values["data_path"].field_value.string_value == expected
  assert values["val_fraction"].field_value.double_value == 0.25


def test_an_unknown_parameter_names_those_there_are(pipeline, tmp_path):
  compiled = ir.write_ir(pipeline, tmp_path / "ir.json")
  with pytest.raises(BadInputError, match="'data_path'. It has: data-path, pipeline-root."):
    ir.bind(compiled, "r", {"data_path": "x"})
  with pytest.raises(BadInputError, match="no runtime parameter 'pipeline-run-id'"):
    ir.bind(compiled, "r", {"pipeline-run-id": "other"})


def test_a_parameter_of_the_wrong_type_is_refused(pipeline, tmp_path):
  compiled = ir.write_ir(pipeline, tmp_path / "ir.json")
  parameter = compiled.nodes[0].pipeline_node.parameters.parameters["val_fraction"]
  parameter.runtime_parameter.name = "fraction"
  parameter.runtime_parameter.type = parameter.runtime_parameter.DOUBLE
  with pytest.raises(BadInputError, match="fraction takes a value of type float. Received: 'half'"):
    ir.bind(compiled, "r", {"fraction": "half"})
  ir.bind(compiled, "r", {"fraction": "0.5"})
  assert parameter.field_value.double_value == 0.5


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (None, "Cannot read --ir .*: No such file"),
    ("{}", "holds a pipeline without nodes"),
    ('{"nodes": 3}', "holds no compiled pipeline; `dlpipe compile TASK --for ir -o FILE` writes"),
    ("import airflow", "holds no compiled pipeline"),
  ],
)
def test_what_is_no_compiled_pipeline_is_bad_input(tmp_path, content, message):
  path = tmp_path / "ir.json"
  if content is not None:
    path.write_text(content)
  with pytest.raises(BadInputError, match=message):
    ir.read_ir(path)


def test_a_file_that_cannot_be_written_is_bad_input(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(BadInputError, match="Cannot write"):
    ir.write_compiled(tmp_path / "file" / "ir.json", "x")
