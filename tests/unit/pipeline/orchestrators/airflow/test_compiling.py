"""Every task's pipeline as a DAG: its nodes, and what its runs may set."""

import ast

import pytest

from dlpipe.errors import BadInputError
from pipeline.orchestrators.airflow import compiling
from pipeline.settings.config import PipelineConfig
from pipeline.tasks import get_task, task_names


@pytest.fixture
def write(tmp_path):
  """Returns a function that writes a task's DAG and returns the names set in its file."""

  def write_file(name, output="dag.py"):
    task = get_task(name)
    config = PipelineConfig(task=name, data_path="/data", workspace="/workspace")
    compiling.write(
      task,
      config,
      source=next(iter(task.sources.values())),
      params=config.params(task),
      output=tmp_path / output,
    )
    tree = ast.parse((tmp_path / output).read_text(encoding="utf-8"))
    return {
      node.targets[0].id: ast.literal_eval(node.value)
      for node in tree.body
      if isinstance(node, ast.Assign) and node.targets[0].id in ("NODES", "PARAMETERS", "DAG_ID")
    }

  return write_file


@pytest.mark.parametrize("name", task_names())
def test_a_tasks_pipeline_is_a_dag(write, name):
  found = write(name)
  assert found["DAG_ID"] == "dag"
  assert found["PARAMETERS"] == {
    "data-path": ("string", "/data"),
    "max-bad-fraction": ("number", 0.05),
    "min-severity": ("string", "ERROR"),
    "pipeline-root": ("string", f"/workspace/{name}/artifacts"),
  }
  nodes = found["NODES"]
  assert nodes["SourceExampleGen"] == []
  assert nodes["VersionedPusher"] == [
    "BehaviourGate",
    "DataProfile",
    "Evaluator",
    "ServingGate",
    "SourceExampleGen",
    "Trainer",
  ]
  # Each node comes after those it waits for, as the file makes them.
  order = list(nodes)
  assert all(
    order.index(earlier) < order.index(node) for node, before in nodes.items() for earlier in before
  )


def test_a_name_that_cannot_work_leaves_nothing_behind(write, tmp_path):
  with pytest.raises(BadInputError, match="ends with .py"):
    write("images", "dag.json")
  assert list(tmp_path.iterdir()) == []
