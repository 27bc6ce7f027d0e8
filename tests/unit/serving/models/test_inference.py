"""Predict on a version whose graph only notes what it is asked for."""

import types

import numpy as np
import pytest

from serving.errors import InvalidArgument
from serving.models import inference
from serving.models.servable import Servable


class Noting:
  """Answers each tensor with its name, and keeps what was asked."""

  def __init__(self):
    self.fetched = []

  def run(self, feeds, fetches, timeout_s=None):
    self.fetched.append(fetches)
    return [np.array([name]) for name in fetches]

  def close(self):
    pass


@pytest.fixture
def servable():
  tensors = {name: types.SimpleNamespace(name=f"{name}:0") for name in ("b", "c", "a")}
  signature = types.SimpleNamespace(
    inputs={}, outputs=tensors, defaults={}, method_name=inference.PREDICT
  )
  return Servable("m", 1, runner=Noting(), signatures={"s": signature})


def _asked(servable, *outputs):
  found = inference.predict(servable, {}, signature_name="s", output_filter=outputs)
  return {name: value.tolist() for name, value in found.items()}


def test_the_same_outputs_in_another_order_are_the_same_run(servable):
  """Else callers could open a queue of batches for each order."""
  first, second = _asked(servable, "c", "a"), _asked(servable, "a", "c")
  assert first == second == {"a": ["a:0"], "c": ["c:0"]}
  assert list(first) == ["a", "c"]
  assert servable.runner.fetched == [["a:0", "c:0"]] * 2


def test_an_output_that_is_unknown_or_asked_for_twice_is_refused(servable):
  with pytest.raises(InvalidArgument, match=r"not found in signature: d .*\{a,b,c\}"):
    _asked(servable, "a", "d")
  with pytest.raises(InvalidArgument, match="duplicate output tensor alias: a"):
    _asked(servable, "a", "b", "a")
