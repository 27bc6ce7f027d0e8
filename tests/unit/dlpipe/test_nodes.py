"""The names that are known without TFX are those of the pipeline that is drawn."""

import ast
import doctest
import pathlib

import pytest

from components.versioned_pusher.component import VersionedPusher
from dlpipe import nodes
from dlpipe.nodes import ALL, DATA_NODES, NODES, TUNER
from pipeline.assembly import create_pipeline
from pipeline.execution import node
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task


@pytest.mark.parametrize("trials", [0, 2])
@pytest.mark.parametrize("train_and_push", [True, False])
def test_names_and_order_are_those_of_the_pipeline(tmp_path, monkeypatch, trials, train_and_push):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  task = get_task("sentiment")
  config = make_config(
    task,
    data_path=task.shipped_data(),
    workspace=str(tmp_path),
    settings=[f"tune.trials={trials}"],
  )
  drawn = create_pipeline(
    task,
    config,
    source=task.sources["table"],
    params=config.params(task),
    train_and_push=train_and_push,
  )
  expected = (
    [each for each in NODES if each is not TUNER or trials] if train_and_push else DATA_NODES
  )
  assert sorted(node.node_ids(node.compile_pipeline(drawn, "r"))) == sorted(
    each.id for each in expected
  )


def _texts(path):
  """Every text of a module that is no docstring."""
  tree = ast.parse(path.read_text(encoding="utf-8"))
  documented = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
  for each in ast.walk(tree):
    if (
      isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in documented
    ):
      yield each.value


def test_no_id_of_a_node_is_typed_again():
  repository = pathlib.Path(__file__).parents[3]
  ids = {each.id for each in ALL}
  assert [
    (path.relative_to(repository).as_posix(), text)
    for room in ("components", "dlpipe", "pipeline")
    for path in sorted((repository / room).rglob("*.py"))
    if path != pathlib.Path(nodes.__file__)
    for text in _texts(path)
    if text in ids
  ] == []


def test_the_facts_about_nodes():
  assert [each.id for each in ALL if not each.is_cached] == [
    "DriftGate",
    "VersionedPusher",
    "SourceState",
    "ModelHistory",
  ]
  assert [each.id for each in ALL if not each.is_retried] == ["DataGate", "DriftGate"]
  assert [each.id for each in ALL if each.is_heavy] == [
    "Transform",
    "Tuner",
    "Trainer",
    "Evaluator",
  ]
  assert [each.id for each in nodes.model_gates()] == [
    "Evaluator",
    "BehaviourGate",
    "ServingGate",
  ]
  assert nodes.named("Trainer") is nodes.TRAINER
  assert nodes.named("Left") == nodes.Node(id="Left")


def test_the_pusher_asks_every_gate():
  with pytest.raises(TypeError, match="takes the blessings behaviour_blessing, infra_"):
    VersionedPusher(model=None, serving_dir="/s", model_blessing=None)


def test_the_examples_hold():
  assert doctest.testmod(nodes) == (0, 1)
