"""Processes that may fork: none is a fork of this one."""

import multiprocessing

import pytest

_IMPORTED_ONCE = ["components.reviewed_schema", "pipeline.execution.processes"]


@pytest.fixture(scope="session")
def fresh():
  """`multiprocessing` whose processes come from one that has imported TFX and done nothing else.

  This process has threads of gRPC and TensorFlow that other tests started; no fork survives them.
  """
  context = multiprocessing.get_context("forkserver")
  context.set_forkserver_preload(_IMPORTED_ONCE)
  return context
