"""`create_pipeline` builds the pipeline of every task, for every runner; nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import tensorflow_data_validation as tfdv
from ml_metadata.proto import metadata_store_pb2
from tfx.components import (
  ExampleValidator,
  SchemaGen,
  StatisticsGen,
  Trainer,
  Transform,
)
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2

from components.data_gate import DataGate
from components.recorded_tuner import Tuner
from components.reviewed_schema import ReviewedSchema
from components.source_example_gen.component import SourceExampleGen
from components.source_state import SourceState
from components.spans.statistics import StatisticsGen as SpansStatisticsGen
from components.warm_trainer import Trainer as WarmTrainer
from dlpipe.fingerprint import code_fingerprint, udf_path
from dlpipe.records import TRAIN, VAL
from dlpipe.remote.addresses import is_remote
from pipeline import model_card
from pipeline.beam.options import beam_args
from pipeline.drift.drawing import draw_drift
from pipeline.gates import gate_facts
from pipeline.params import Params, Role
from pipeline.releasing import release_nodes
from pipeline.settings.config import PipelineConfig
from pipeline.task import Source, Task
from pipeline.tasks import schema_path

# Takes a parameter's name and value; returns a node's argument.
_Setting = Callable[[str, Any], Any]
_PREPROCESSING_FN = "pipeline.training.transform.preprocessing_fn"
_RUN_FN = "pipeline.training.run.run_fn"
_TUNER_FN = "pipeline.training.tuning.search.tuner_fn"


def create_pipeline(
  task: Task,
  config: PipelineConfig,
  *,
  source: Source,
  params: Params,
  train_and_push: bool = True,
  self_contained: bool = False,
  runtime_parameters: bool = False,
) -> Pipeline:
  """Builds the pipeline of one task.

  Args:
    task: the task.
    config: this run's configuration.
    source: the source that reads the input.
    params: the settings of this run's model.
    train_and_push: False builds only the nodes that read and check the data.
    self_contained: True adds nodes for the work of drivers and resolvers, for a backend that runs
      neither.
    runtime_parameters: True makes data-path, max-bad-fraction and min-severity runtime parameters
      of the compiled pipeline, with the configuration's values as defaults.

  Returns:
    A pipeline with SQLite metadata in the workspace; a runner may replace that.

  Raises:
    BadInputError: the Tuner would vary a setting that training does not read.
  """
  if train_and_push and config.tune.most_trials:
    # Checked before any data is read. Imported here, because only tuning needs KerasTuner.
    from pipeline.training.tuning import search_space

    search_space.declared(task, params)
  setting: _Setting = _open if runtime_parameters else _fixed
  state, data, schema, statistics, gate = _data_stage(task, config, source, self_contained, setting)
  profile, *drift = draw_drift(task, config, data, schema, after=gate, remembers=train_and_push)
  drawn: list[BaseNode] = [*state, data, schema, *statistics, gate, profile, *drift]
  if train_and_push:
    transform, *tuner, trainer = _training_stage(task, config, data, schema, [gate, *drift], params)
    card = model_card.facts(task, config)
    if runtime_parameters:
      card["data_path"] = None  # each run of the compiled pipeline says it
    release = release_nodes(task, config, data, profile, trainer, self_contained, card)
    drawn += [transform, *tuner, trainer, *release]
  return Pipeline(
    pipeline_name=task.pipeline_name,
    pipeline_root=str(config.folder.artifacts),
    components=drawn,
    enable_cache=True,
    beam_pipeline_args=beam_args(config),
    metadata_connection_config=metadata_store_pb2.ConnectionConfig(
      sqlite=metadata_store_pb2.SqliteMetadataSourceConfig(
        filename_uri=str(config.folder.metadata),
        connection_mode=metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
      )
    ),
  )


def _fixed(name: str, value: Any) -> Any:
  """Returns the value itself: it is fixed in the compiled pipeline."""
  del name
  return value


def _open(name: str, value: Any) -> RuntimeParameter:
  """Returns a parameter that each run of the compiled pipeline can set."""
  return RuntimeParameter(name=name, ptype=type(value), default=value)


def _data_stage(
  task: Task, config: PipelineConfig, source: Source, self_contained: bool, setting: _Setting
) -> tuple[list[BaseNode], BaseNode, BaseNode, list[BaseNode], BaseNode]:
  """Builds the nodes that read, describe and judge the data."""
  state, data = _source(task, config, source, self_contained, setting)
  schema = ReviewedSchema(text=schema_path(task.name).read_text(encoding="utf-8"))
  examples = data.outputs["examples"]
  # The reviewed schema marks encoded inputs; TFDV then counts their bytes instead of their values.
  statistics = (SpansStatisticsGen if config.spans else StatisticsGen)(
    examples=examples,
    schema=schema.outputs["schema"],
    # Counting every distinct text takes memory that grows with the rows. Sketches are exact for a
    # feature with up to 1,024 distinct values, such as labels; with more, counts are off by at most
    # a 1,024th of the rows.
    stats_options=tfdv.StatsOptions(use_sketch_based_topk_uniques=True),
  )
  inferred = SchemaGen(statistics=statistics.outputs["statistics"], infer_feature_shape=True)
  validator = ExampleValidator(
    statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
  )
  gate = DataGate(
    anomalies=validator.outputs["anomalies"],
    quarantine=data.outputs["quarantine"],
    max_bad_fraction=setting("max-bad-fraction", config.data.max_bad_fraction),
    min_severity=setting("min-severity", config.data.min_severity),
    allow_lost_classes=int(config.data.allow_lost_classes),
    **(config.data.of_faulty_spans if config.spans else {}),
    findings_fn=task.problem.findings,
    gates=json.dumps(gate_facts(task, config.gates.bounds)),
    code_fingerprint=code_fingerprint("components.data_gate", task.problem.findings),
  )
  return state, data, schema, [statistics, inferred, validator], gate


def _source(
  task: Task, config: PipelineConfig, source: Source, self_contained: bool, setting: _Setting
) -> tuple[list[BaseNode], BaseNode]:
  """Builds the node that reads the data, and the one before it that looks at its files, if any."""
  plan_fn, read_fn = udf_path(source.plan), udf_path(source.read)
  copies = {"copies": str(config.folder.copies)} if is_remote(config.data_path) else {}
  options = config.data_options(task)
  spans = config.spans.to_text() if config.spans else None
  state: list[BaseNode] = []
  fingerprint = None
  if self_contained:
    state = [
      SourceState(
        plan_fn=plan_fn,
        data_path=setting("data-path", config.data_path),
        options=json.dumps(options, sort_keys=True),
        **({"relabel": config.data.relabel} if config.data.relabel else {}),
        **copies,
      )
    ]
    fingerprint = state[0].outputs["fingerprint"].future()[0].value
  data = SourceExampleGen(
    plan_fn=plan_fn,
    read_fn=read_fn,
    data_path=setting("data-path", config.data_path),
    options=options,
    label_key=task.label_key if task.problem.has_classes else "",
    val_fraction=config.data.val_fraction,
    eval_fraction=config.data.eval_fraction,
    code_fingerprint=code_fingerprint(
      plan_fn,
      read_fn,
      f"components.{'spans' if spans else 'source_example_gen'}.executor",
    ),
    spans=spans,
    input_fingerprint=fingerprint,
    relabel=config.data.relabel,
    relabelled_key=task.label_key,
    read_label=udf_path(task.problem.read_label) if config.data.relabel else "",
    **copies,
  )
  return state, data


def _training_stage(
  task: Task,
  config: PipelineConfig,
  data: BaseNode,
  schema: BaseNode,
  gates: list[BaseNode],
  params: Params,
) -> list[BaseNode]:
  """Builds the nodes that train; they run only after the gates have accepted the data."""
  transform = _transform(task, data, schema, params)
  transform.add_upstream_nodes(gates)
  inputs = {
    "examples": data.outputs["examples"],
    "transform_graph": transform.outputs["transform_graph"],
    "schema": schema.outputs["schema"],
    "train_args": trainer_pb2.TrainArgs(splits=[TRAIN]),
    "eval_args": trainer_pb2.EvalArgs(splits=[VAL]),
  }
  told = _told_to_train(task, config, params)
  tuners: list[BaseNode] = []
  if config.tune.most_trials:
    of_trials = {**told, **_told_to_tune(task, config)}
    tuners = [Tuner(tuner_fn=_TUNER_FN, custom_config=of_trials, **inputs)]
  places = {"checkpoint_root": str(config.folder.checkpoints)}
  if config.train.warm_start:
    places["serving_dir"] = str(config.folder.serving)
  trainer = (WarmTrainer if config.train.warm_start else Trainer)(
    run_fn=_RUN_FN,
    hyperparameters=tuners[0].outputs["best_hyperparameters"] if tuners else None,
    custom_config={**told, **places},
    **inputs,
  )
  return [transform, *tuners, trainer]


def _transform(task: Task, data: BaseNode, schema: BaseNode, params: Params) -> BaseNode:
  return Transform(
    examples=data.outputs["examples"],
    schema=schema.outputs["schema"],
    preprocessing_fn=_PREPROCESSING_FN,
    # Training runs the transform graph itself, so it cannot differ from serving.
    materialize=False,
    disable_statistics=True,
    # Nothing reads this cache: a later run with other data must count other words.
    disable_analyzer_cache=True,
    custom_config={
      "preprocessing_fn": task.preprocessing_fn,
      "params": f"{task.params.__module__}.{task.params.__name__}",
      "hyperparameters": params.as_json(Role.TRANSFORM),
      "code_fingerprint": code_fingerprint(
        _PREPROCESSING_FN, task.preprocessing_fn, *task.params.code_modules()
      ),
    },
  )


def _told_to_train(task: Task, config: PipelineConfig, params: Params) -> dict[str, Any]:
  """Returns what Trainer and Tuner are told: all that a training depends on beside its inputs."""
  problem = task.problem
  return {
    "task": task.name,
    "hyperparameters": params.as_json(),
    "fixed_epochs": config.fixed_epochs(task),
    "bfloat16_pays": params.bfloat16_pays(),
    "train": config.train.model_dump(),
    "code_fingerprint": code_fingerprint(
      # Without task.py: a gate's new bound or an edited source must not cause another training, and
      # this dictionary holds all that training reads of it. Also without modules that only declare
      # settings.
      _RUN_FN,
      *task.params.code_modules(),
      task.build_model,
      *(path for path in (task.adapt, task.callbacks) if path),
      problem.compile_args,
      task.training_plan,
      problem.serving_outputs or problem.answer,
      *([problem.calibration] if problem.calibration else []),
      *(path for path in (task.input.rule, task.input.explain) if path),
      *([problem.certainty] if problem.certainty else []),
    ),
    "input_bounds": {
      name: config.data_options(task)[name] for name in (*task.input.bounds, *problem.options)
    },
    "monitor": list(problem.monitor),
    "keys": [task.input.key, problem.label_id_key],
    "sequence_keys": list(task.sequence_keys),
    "transformed_slices": list(task.transformed_slices),
  }


def _told_to_tune(task: Task, config: PipelineConfig) -> dict[str, Any]:
  """Returns what the Tuner is told instead of that, or in addition."""
  return {
    "train": config.train.of_trials(),
    "tune": config.tune.model_dump(),
    "trials_root": str(config.folder.trials),
    "code_fingerprint": code_fingerprint(
      _TUNER_FN,
      *task.params.code_modules(),
      task.search_space,
      task.build_model,
      *(path for path in (task.adapt, task.callbacks) if path),
      task.problem.compile_args,
      task.training_plan,
    ),
  }
