"""Writes the DAG file of a pipeline, and the compiled pipeline beside it."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import jinja2
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.orchestration import pipeline_pb2

from dlpipe.errors import BadInputError
from pipeline.execution import ir
from pipeline.orchestrators.airflow import dag_params, settings
from pipeline.orchestrators.airflow.section import AirflowSection
from pipeline.settings.config import PipelineConfig
from pipeline.task import Task

_TEMPLATE = "dag.py.j2"
_JSON_TYPES = {int: "integer", float: "number", str: "string"}


def write(
  pipeline: Pipeline, task: Task, config: PipelineConfig, output: str | os.PathLike[str]
) -> None:
  """Compiles a pipeline and writes both files atomically.

  Args:
    pipeline: the result of `create_pipeline`.
    task: the task; the DAG file names it.
    config: the configuration; `settings.check` must have accepted it.
    output: path of the DAG file.

  Raises:
    BadInputError: `airflow.pool_nodes` names an unknown node, or a file cannot be written.
  """
  target = pathlib.Path(output)
  airflow = config.section(AirflowSection)
  pooled = _pooled(airflow, [component.id for component in pipeline.components])
  # The compiled pipeline comes first: Airflow may load the DAG at any moment.
  compiled = ir.write_ir(pipeline, target.with_suffix(".json"), config)
  ir.write_compiled(
    target,
    render(
      compiled,
      task,
      config,
      dag_id=settings.dag_id(airflow, target),
      pooled=pooled,
    ),
  )


def render(
  compiled: pipeline_pb2.Pipeline,
  task: Task,
  config: PipelineConfig,
  *,
  dag_id: str,
  pooled: Sequence[str],
) -> str:
  """Returns the text of the DAG file.

  Args:
    compiled: the compiled pipeline, with runtime parameters.
    task: the task; the DAG file names it.
    config: the configuration.
    dag_id: the DAG's name.
    pooled: ids of the nodes that run in the pool.
  """
  nodes = {
    spec.pipeline_node.node_info.id: list(spec.pipeline_node.upstream_nodes)
    for spec in compiled.nodes
  }
  open_parameters = ir.parameters(compiled)
  del open_parameters[ir.RUN_ID]
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=False,  # the template is Python, not HTML; `literal` quotes every value
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
  )
  environment.filters["literal"] = _literal
  return environment.get_template(_TEMPLATE).render(
    task=task.name,
    dag_id=dag_id,
    airflow=config.section(AirflowSection),
    python=config.section(AirflowSection).python or sys.executable,
    mlmd=config.metadata.connection_file,
    pooled=list(pooled),
    nodes=nodes,
    parameters={
      name: (_JSON_TYPES[kind], default)
      for name, (kind, default) in sorted(open_parameters.items())
    },
    settings=dag_params.of_settings(task, config),
  )


def _pooled(airflow: AirflowSection, known: Sequence[str]) -> list[str]:
  """Returns the nodes that run in the pool, in the pipeline's order."""
  # The default names the Tuner, which the pipeline has only if there are trials.
  optional = AirflowSection().pool_nodes
  for name in airflow.pool_nodes:
    if name not in known and name not in optional:
      raise BadInputError(
        f"airflow.pool_nodes: the pipeline has no node {name!r}. Its nodes: {', '.join(known)}."
      )
  return [name for name in known if name in airflow.pool_nodes] if airflow.pool else []


def _literal(value: Any) -> str:
  """Formats a value as Python source, with texts in double quotes."""
  if isinstance(value, str):
    return json.dumps(value, ensure_ascii=False)
  if isinstance(value, list):
    return f"[{', '.join(map(_literal, value))}]"
  return repr(value)
