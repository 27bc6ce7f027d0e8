"""`dlpipe join`: what it refuses; what joins is in tests/e2e/two_workers."""

import json

import pytest

from dlpipe.errors import BadInputError
from pipeline.cli.main import cli

_TWO = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
  "config",
  [
    None,
    {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}},
    {"cluster": _TWO, "task": {"type": "worker", "index": 0}},
  ],
  ids=["no TF_CONFIG", "one worker", "the first worker"],
)
def test_only_another_worker_than_the_first_joins(monkeypatch, config):
  monkeypatch.setenv("TF_CONFIG", json.dumps(config) if config else "")
  with pytest.raises(BadInputError, match="this process as another than the first"):
    cli.main(["join", "images"], standalone_mode=False)


def test_an_unknown_task_is_named(monkeypatch):
  monkeypatch.setenv("TF_CONFIG", "")
  with pytest.raises(BadInputError, match="imagse"):
    cli.main(["join", "imagse"], standalone_mode=False)
