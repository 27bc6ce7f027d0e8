"""The names that are known without TFX are those of the pipeline that is drawn."""

import pytest

from dlpipe.nodes import DATA_NODES, NODES, TUNER
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
  expected = [name for name in NODES if name != TUNER or trials] if train_and_push else DATA_NODES
  assert sorted(node.node_ids(node.compile_pipeline(drawn, "r"))) == sorted(expected)
