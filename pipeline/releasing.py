"""The nodes behind the Trainer: they judge a model, serve it once, and push it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from components import previous_model
from components.behaviour_gate import BehaviourGate
from components.judged_evaluator.component import Evaluator
from components.model_history.component import ModelHistory, PreviousModel, RecordBlessing
from components.serving_gate.component import ServingGate
from components.versioned_pusher.component import VersionedPusher
from dlpipe import nodes
from dlpipe.fingerprint import code_fingerprint
from dlpipe.records import EVAL
from pipeline import evaluation
from pipeline.behaviour import gate as behaviour
from pipeline.gates import parameters as gate_parameters
from pipeline.gates import task_gates
from pipeline.rows import predictions
from pipeline.settings.config import PipelineConfig
from pipeline.task import Task

_JUDGE = "pipeline.gates.judge"
_WRITER = "pipeline.rows.predictions.write"
_BEHAVIOUR = "pipeline.behaviour.gate.judge"
_CARD = "pipeline.model_card.files"


def release_nodes(
  task: Task,
  config: PipelineConfig,
  data: BaseNode,
  profile: BaseNode,
  trainer: BaseNode,
  self_contained: bool,
  card_facts: Mapping[str, Any],
) -> list[BaseNode]:
  """Builds the nodes that evaluate, compare serving with training, and push if all gates pass."""
  model = trainer.outputs["model"]
  asked = _ask_history(config, trainer) if self_contained else [_resolve_previous(trainer)]
  evaluator = _evaluator(task, config, data, model, asked[-1].outputs[previous_model.MODEL])
  recorded: list[BaseNode] = []
  if self_contained:
    recorded = [
      RecordBlessing(
        candidate=model,
        blessing=evaluator.outputs["blessing"],
        history_path=str(config.folder.models),
      )
    ]
  behaviour_gate = BehaviourGate(
    examples=data.outputs["examples"],
    model=model,
    judge=_BEHAVIOUR,
    tests=json.dumps(behaviour.parameters(task, config), sort_keys=True),
    code_fingerprint=code_fingerprint(_BEHAVIOUR, task.problem.rows, "components.behaviour_gate"),
  )
  serving_gate = ServingGate(
    model=model,
    model_run=trainer.outputs["model_run"],
    model_name=task.name,
    tolerance=config.push.tolerance,
    max_latency_ms=config.gates.max_latency_ms,
    serving_release=config.push.serving_release,
    code_fingerprint=code_fingerprint(
      "components.serving_gate.executor",
      # The modules that it starts as a process.
      "components.serving_gate.watched_server",
      "serving.__main__",
    ),
  )
  gates = [evaluator, behaviour_gate, serving_gate]
  pusher = _pusher(config, data, profile, trainer, gates, card_facts)
  return [*asked, evaluator, *recorded, behaviour_gate, serving_gate, pusher]


def _evaluator(
  task: Task, config: PipelineConfig, data: BaseNode, model: Channel, baseline: Channel
) -> BaseNode:
  return Evaluator(
    examples=data.outputs["examples"],
    model=model,
    baseline_model=baseline,
    eval_config=evaluation.eval_config(task),
    example_splits=[EVAL],
    judge=_JUDGE,
    gates=gate_parameters(
      task,
      task_gates(task, config.gates.bounds),
      min_examples=config.gates.min_examples,
      max_gap=config.gates.max_coverage_gap,
      beats_baseline=config.gates.beats_baseline,
    ),
    writer=_WRITER,
    rows=predictions.parameters(task),
    code_fingerprint=code_fingerprint(
      _JUDGE,
      _WRITER,
      task.problem.rows,
      *([task.problem.baseline] if task.problem.baseline else []),
      "components.judged_evaluator.executor",
    ),
  )


def _pusher(
  config: PipelineConfig,
  data: BaseNode,
  profile: BaseNode,
  trainer: BaseNode,
  gates: list[BaseNode],
  card_facts: Mapping[str, Any],
) -> BaseNode:
  """Builds the node that publishes; the evaluator is the first of the gates."""
  evaluator = gates[0]
  return VersionedPusher(
    model=trainer.outputs["model"],
    serving_dir=str(config.folder.serving),
    # `dlpipe batch` reads tables with the data options of the training.
    data_options=json.dumps(
      {name: value for name, value in config.data.options.items() if value is not None},
      sort_keys=True,
    ),
    card=_CARD,
    card_facts=json.dumps(card_facts, sort_keys=True),
    card_inputs={
      "quarantine": data.outputs["quarantine"],
      "profile": profile.outputs["profile"],
      "model_run": trainer.outputs["model_run"],
      "evaluation": evaluator.outputs["evaluation"],
      "verdict": evaluator.outputs["verdict"],
      "predictions": evaluator.outputs["predictions"],
    },
    stage=config.push.stage,
    copy_to=config.push.copy_to,
    code_fingerprint=code_fingerprint("components.versioned_pusher.executor", _CARD),
    **_blessings(gates),
  )


def _blessings(gates: list[BaseNode]) -> dict[str, Channel]:
  """Returns the blessing of each gate by the name of the pusher's input."""
  known = nodes.model_gates()
  return {known[nodes.named(gate.id)].pusher_input: gate.outputs["blessing"] for gate in gates}


def _resolve_previous(trainer: BaseNode) -> BaseNode:
  return Resolver(
    strategy_class=previous_model.PreviousBlessedModel,
    **{
      previous_model.MODEL: Channel(type=standard_artifacts.Model),
      previous_model.MODEL_BLESSING: Channel(type=standard_artifacts.ModelBlessing),
      previous_model.CANDIDATE: trainer.outputs["model"],
    },
  ).with_id(nodes.PREVIOUS_MODEL.id)


def _ask_history(config: PipelineConfig, trainer: BaseNode) -> list[BaseNode]:
  history = ModelHistory(candidate=trainer.outputs["model"], history_path=str(config.folder.models))
  return [history, PreviousModel(previous=history.outputs["previous"].future()[0].value)]
