"""Reads an input of the translation task as `SourceExampleGen` does."""

from __future__ import annotations

import json

import pytest

from pipeline.tasks.translation.sources import SOURCES
from pipeline.tasks.translation.sources.options import PairOptions


@pytest.fixture
def read_all():
  """Returns a function from a source's name and a path to its plan and records."""

  def read(name, path, **options):
    options = {**PairOptions.defaults(), **options}
    plan = SOURCES[name].plan(str(path), options)
    shards = json.loads(json.dumps(list(plan.shards)))
    return plan, [record for shard in shards for record in SOURCES[name].read(shard, options)]

  return read
