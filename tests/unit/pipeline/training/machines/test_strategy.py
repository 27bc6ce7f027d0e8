"""How training is spread, by what the machine and `TF_CONFIG` say."""

import json

import pytest
import tensorflow as tf

from dlpipe.errors import BadInputError
from pipeline.training.machines import strategy

_TWO = {"worker": ["a:1", "b:1"]}
_CHIEF = {"chief": ["c:1"], "worker": ["a:1"]}


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
  monkeypatch.delenv("TF_CONFIG", raising=False)


def _set(monkeypatch, cluster, kind, index):
  config = {"cluster": cluster, "task": {"type": kind, "index": index}}
  monkeypatch.setenv("TF_CONFIG", json.dumps(config))


def test_alone_there_is_one_worker_and_it_is_the_chief(monkeypatch):
  assert strategy.worker_count() == 1
  assert strategy.is_chief()
  monkeypatch.setenv("TF_CONFIG", "")
  assert strategy.worker_count() == 1
  assert strategy.is_chief()


@pytest.mark.parametrize("given", ["worker:0", "[]", '{"cluster": '])
def test_what_is_no_object_is_bad_input(monkeypatch, given):
  monkeypatch.setenv("TF_CONFIG", given)
  for ask in (strategy.worker_count, strategy.is_chief):
    with pytest.raises(BadInputError, match="TF_CONFIG must be a JSON object") as raised:
      ask()
    assert repr(given) in str(raised.value)


@pytest.mark.parametrize(
  ("cluster", "kind", "index", "count", "chief"),
  [
    (_TWO, "worker", 0, 2, True),
    (_TWO, "worker", 1, 2, False),
    (_TWO, "worker", "0", 2, True),
    (_CHIEF, "chief", 0, 2, True),
    (_CHIEF, "worker", 0, 2, False),
    ({"worker": ["a:1"], "ps": ["p:1"]}, "ps", 0, 1, False),
  ],
)
def test_one_of_several_is_the_chief(monkeypatch, cluster, kind, index, count, chief):
  _set(monkeypatch, cluster, kind, index)
  assert strategy.worker_count() == count
  assert strategy.is_chief() is chief


def test_one_machine_without_gpus_takes_the_default_strategy():
  if len(tf.config.list_physical_devices("GPU")) > 1:
    pytest.skip("this machine has several GPUs")
  assert strategy.make_strategy() is tf.distribute.get_strategy()
