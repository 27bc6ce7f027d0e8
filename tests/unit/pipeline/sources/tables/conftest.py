"""Reads a whole table, shard by shard, as the sources do."""

from __future__ import annotations

import json

import pytest

from pipeline.sources import tables


@pytest.fixture
def read_table():
  """Returns a function from a path to the rows of all its shards; shards go through JSON."""

  def read(path, columns=None):
    shards = json.loads(json.dumps(tables.plan_shards(str(path), columns)))
    return [row for shard in shards for row in tables.rows(shard)]

  return read
