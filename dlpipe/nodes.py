"""The nodes of the pipeline: one `Node` for each, with the facts that shared code needs.

A fact about a node is an attribute here: whether it can refuse a model, whether its result is
cached, whether it is heavy. Components define their inputs and outputs; code that reads an output
after the run names it by an `Output`. Imports only our errors, and no TFX.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import TypeVar

from dlpipe.errors import BadInputError

# States of a node after a run.
COMPLETE, CACHED, FAILED, SKIPPED = "COMPLETE", "CACHED", "FAILED", "SKIPPED"

_Artifact = TypeVar("_Artifact")
_MEMORY_MB = 1000.0
# Training holds its data in memory; the other nodes stream.
_TRAINING_MEMORY_MB = 4000.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelGate:
  """The outputs of a gate on the model: a blessing for the pusher, and a verdict for people.

  Attributes:
    pusher_input: the input of VersionedPusher that takes the blessing.
    blessing_type: TFX's artifact type of the output `blessing`. All but the Evaluator's is an
      InfraBlessing: with a ModelBlessing, a model becomes the next baseline.
    verdict: the output whose directory holds the verdict.
    verdict_file: the file in this directory, which `dlpipe.verdicts.Verdict` reads.
  """

  pusher_input: str
  blessing_type: str = "InfraBlessing"
  verdict: str = "blessing"
  verdict_file: str = "verdict.json"

  @property
  def verdict_input(self) -> str:
    """The input of VersionedPusher that takes the artifact with the verdict."""
    return self.pusher_input if self.verdict == "blessing" else self.verdict


@dataclasses.dataclass(frozen=True, kw_only=True)
class Node:
  """The facts about one node.

  Attributes:
    id: the node's id in the pipeline, which people see, too.
    gate: the outputs of the gate, if the node can refuse a model.
    is_cached: whether TFX may reuse the result while the inputs stay the same.
    is_retried: whether an orchestrator may retry the node after a failure.
    is_heavy: whether the node computes for long and so gets a separate pool of workers.
    memory_mb: expected memory until the node has run once, in MB of 10^6 bytes.
  """

  id: str
  gate: ModelGate | None = None
  is_cached: bool = True
  is_retried: bool = True
  is_heavy: bool = False
  memory_mb: float = _MEMORY_MB


SOURCE_EXAMPLE_GEN = Node(id="SourceExampleGen")
REVIEWED_SCHEMA = Node(id="ReviewedSchema")
STATISTICS_GEN = Node(id="StatisticsGen")
SCHEMA_GEN = Node(id="SchemaGen")
EXAMPLE_VALIDATOR = Node(id="ExampleValidator")
# It raises, so no later node runs. A retry would read the same data.
DATA_GATE = Node(id="DataGate", is_retried=False)
DATA_PROFILE = Node(id="DataProfile")
# Compares with what is served, which changes while the inputs stay the same.
DRIFT_GATE = Node(id="DriftGate", is_cached=False, is_retried=False)
TRANSFORM = Node(id="Transform", is_heavy=True)
TUNER = Node(id="Tuner", is_heavy=True, memory_mb=_TRAINING_MEMORY_MB)
TRAINER = Node(id="Trainer", is_heavy=True, memory_mb=_TRAINING_MEMORY_MB)
PREVIOUS_MODEL = Node(id="PreviousModel")
EVALUATOR = Node(
  id="Evaluator",
  gate=ModelGate(pusher_input="model_blessing", blessing_type="ModelBlessing", verdict="verdict"),
  is_heavy=True,
)
SERVING_GATE = Node(
  id="ServingGate",
  gate=ModelGate(pusher_input="infra_blessing", verdict_file="parity.json"),
)
BEHAVIOUR_GATE = Node(
  id="BehaviourGate",
  gate=ModelGate(pusher_input="behaviour_blessing"),
)
# Publishing an existing version changes nothing; publishing a deleted one restores it.
VERSIONED_PUSHER = Node(id="VersionedPusher", is_cached=False)
# Only for a backend that runs neither drivers nor resolvers. The first two read files that may
# change while the inputs stay the same.
SOURCE_STATE = Node(id="SourceState", is_cached=False)
MODEL_HISTORY = Node(id="ModelHistory", is_cached=False)
RECORD_BLESSING = Node(id="RecordBlessing")
RUN_NOTICE = Node(id="RunNotice")

# In the order of `assembly.create_pipeline`.
DATA_NODES = (
  SOURCE_EXAMPLE_GEN,
  REVIEWED_SCHEMA,
  STATISTICS_GEN,
  SCHEMA_GEN,
  EXAMPLE_VALIDATOR,
  DATA_GATE,
  DATA_PROFILE,
  DRIFT_GATE,
)
NODES = (
  *DATA_NODES,
  TRANSFORM,
  TUNER,
  TRAINER,
  PREVIOUS_MODEL,
  EVALUATOR,
  BEHAVIOUR_GATE,
  SERVING_GATE,
  VERSIONED_PUSHER,
)
ALL = (*NODES, SOURCE_STATE, MODEL_HISTORY, RECORD_BLESSING, RUN_NOTICE)


@dataclasses.dataclass(frozen=True)
class Output:
  """An output of a node that is read after the run.

  >>> Output(TRAINER, "model_run").find({"Trainer": {"model_run": "an artifact"}})
  'an artifact'
  """

  node: Node
  name: str

  def find(self, artifacts: Mapping[str, Mapping[str, _Artifact]]) -> _Artifact | None:
    """Returns the artifact of this output; None if the run has none.

    Args:
      artifacts: maps node id to output name to artifact.
    """
    return artifacts.get(self.node.id, {}).get(self.name)


EXAMPLES = Output(SOURCE_EXAMPLE_GEN, "examples")
QUARANTINE = Output(SOURCE_EXAMPLE_GEN, "quarantine")
DATA_VERDICT = Output(DATA_GATE, "verdict")
PROFILE = Output(DATA_PROFILE, "profile")
DRIFT_VERDICT = Output(DRIFT_GATE, "verdict")
TRANSFORM_GRAPH = Output(TRANSFORM, "transform_graph")
TUNER_RESULTS = Output(TUNER, "tuner_results")
MODEL_RUN = Output(TRAINER, "model_run")
EVALUATION = Output(EVALUATOR, "evaluation")
PREDICTIONS = Output(EVALUATOR, "predictions")
BEHAVIOUR = Output(BEHAVIOUR_GATE, "blessing")
PARITY = Output(SERVING_GATE, "blessing")
PUSHED_MODEL = Output(VERSIONED_PUSHER, "pushed_model")
# What is read after a run, for its report and its record, but the examples themselves.
READ_AFTER_RUN = (
  QUARANTINE,
  DATA_VERDICT,
  PROFILE,
  DRIFT_VERDICT,
  TRANSFORM_GRAPH,
  TUNER_RESULTS,
  MODEL_RUN,
  EVALUATION,
  PREDICTIONS,
  PUSHED_MODEL,
  *(Output(node, name) for node in NODES if node.gate for name in {"blessing", node.gate.verdict}),
)


def model_gates() -> dict[Node, ModelGate]:
  """Returns the nodes that can refuse a model, in the pipeline's order, with their gates."""
  return {node: node.gate for node in NODES if node.gate is not None}


def named(node_id: str) -> Node:
  """Returns the node with this id; a node of another pipeline gets default facts."""
  return next((node for node in ALL if node.id == node_id), Node(id=node_id))


def check_node(option: str, name: str | None, *, trials: int) -> None:
  """Raises `BadInputError` if no node of the run has this name.

  Args:
    option: the option that gave the name, such as `--from`.
    name: the name of the node; None if the option was not given.
    trials: number of trials of the Tuner; with 0 the run has no Tuner.

  Raises:
    BadInputError: no node has the name; the message names the nearest one.
  """
  ids = [node.id for node in NODES if node is not TUNER or trials]
  if name is None or name in ids:
    return
  if name == TUNER.id:
    raise BadInputError(
      f"{option} {name}: this run has no Tuner. --set tune.trials=10 gives it one."
    )
  same = {node_id.lower(): node_id for node_id in ids}
  close = difflib.get_close_matches(name.lower(), same, n=1)
  hint = f" Did you mean {same[close[0]]}?" if close else ""
  raise BadInputError(
    f"{option} {name}: the pipeline has no such node.{hint} Its nodes: {', '.join(ids)}."
  )
