"""What loads when, what goes when; with a loader that does as it is told."""

import pathlib
import threading

import pytest

from serving.errors import DataLoss, Internal, NotFound
from serving.models.lifecycle import Loader, ModelManager, State
from serving.models.servable import Servable


class Loads(Loader):
  """Loads in no time, unless `held`, and fails for versions in `broken`."""

  def __init__(self):
    self.events = []
    self.broken = {}
    self.held = {}

  def load(self, name, version, path):
    self.events.append(f"load {version}")
    if version in self.held:
      self.held[version].wait(120)
    if self.broken.get(version):
      raise self.broken[version].pop()
    return Servable(name, version, runner=None, signatures={})

  def unload(self, servable):
    self.events.append(f"unload {servable.version}")


@pytest.fixture
def loads():
  return Loads()


@pytest.fixture
def manager(loads):
  made = ModelManager(loads, max_load_retries=0)
  yield made
  for event in loads.held.values():
    event.set()
  made.close(120)


def _paths(*versions):
  return {version: pathlib.Path(f"/m/{version}") for version in versions}


def _wait(manager, **states):
  wanted = {int(name[1:]): State[state] for name, state in states.items()}
  with manager._changed:
    assert manager._changed.wait_for(
      lambda: (
        wanted.items() <= {status.version: status.state for status in manager.statuses("m")}.items()
      ),
      120,
    ), manager.statuses("m")


def _current(manager, version=None):
  with manager.acquire("m", version) as servable:
    return servable.version


def test_the_old_version_goes_when_the_new_one_is_there(manager, loads):
  manager.aspire("m", _paths(1))
  _wait(manager, v1="AVAILABLE")
  loads.held[2] = threading.Event()
  manager.aspire("m", _paths(2))
  _wait(manager, v1="AVAILABLE", v2="LOADING")
  assert _current(manager) == 1
  loads.held[2].set()
  _wait(manager, v1="END", v2="AVAILABLE")
  assert _current(manager) == 2
  assert loads.events == ["load 1", "load 2", "unload 1"]
  with pytest.raises(NotFound, match=r"Servable not found for request: Specific\(m, 1\)"):
    manager.acquire("m", 1)


def test_a_version_that_fails_leaves_the_old_one(manager, loads):
  manager.aspire("m", _paths(1))
  _wait(manager, v1="AVAILABLE")
  loads.broken[2] = [DataLoss("damaged")]
  manager.aspire("m", _paths(2))
  _wait(manager, v2="END")
  assert _current(manager) == 1
  highest = manager.statuses("m")[0]
  assert (highest.version, str(highest.error)) == (2, "damaged")


def test_what_failed_is_tried_again_only_after_it_was_dropped(manager, loads):
  loads.broken[1] = [DataLoss("damaged")]
  manager.aspire("m", _paths(1))
  _wait(manager, v1="END")
  manager.aspire("m", _paths(1))
  assert loads.events == ["load 1"]
  manager.aspire("m", {})
  manager.aspire("m", _paths(1))
  _wait(manager, v1="AVAILABLE")
  assert loads.events == ["load 1", "load 1"]
  assert manager.statuses("m")[0].error is None


def test_a_load_is_retried(loads):
  manager = ModelManager(loads, max_load_retries=2, load_retry_interval_s=0.01)
  loads.broken[1] = [DataLoss("a"), DataLoss("b")]
  manager.aspire("m", _paths(1))
  _wait(manager, v1="AVAILABLE")
  assert loads.events == ["load 1"] * 3
  manager.close(5)


def test_a_retry_is_given_up_when_nobody_wants_the_version(loads):
  manager = ModelManager(loads, max_load_retries=5, load_retry_interval_s=60)
  loads.broken[1] = [DataLoss("a")]
  manager.aspire("m", _paths(1))
  _wait(manager, v1="LOADING")
  manager.aspire("m", {})
  _wait(manager, v1="END")
  assert loads.events == ["load 1"]


def test_an_error_of_the_loader_itself_ends_the_version_only(manager, loads):
  loads.broken[1] = [ZeroDivisionError("oops")]
  manager.aspire("m", _paths(1, 2))
  _wait(manager, v1="END", v2="AVAILABLE")
  error = manager.statuses("m")[1].error
  assert isinstance(error, Internal)
  assert str(error) == "ZeroDivisionError: oops"


def test_an_unload_waits_for_those_who_hold_the_version(manager, loads):
  manager.aspire("m", _paths(1))
  _wait(manager, v1="AVAILABLE")
  with manager.acquire("m"):
    manager.aspire("m", {})
    _wait(manager, v1="UNLOADING")
    with pytest.raises(NotFound, match=r"Latest\(m\)"):
      manager.acquire("m")
    assert loads.events == ["load 1"]
  _wait(manager, v1="END")
  assert loads.events == ["load 1", "unload 1"]


def test_a_version_wanted_again_while_it_leaves_is_loaded_again(manager, loads):
  manager.aspire("m", _paths(1))
  _wait(manager, v1="AVAILABLE")
  with manager.acquire("m"):
    manager.aspire("m", {})
    _wait(manager, v1="UNLOADING")
    manager.aspire("m", _paths(1))
  _wait(manager, v1="AVAILABLE")
  assert loads.events == ["load 1", "unload 1", "load 1"]


def test_several_versions_load_the_highest_first_and_it_is_the_latest(manager, loads):
  manager.aspire("m", _paths(1, 3, 2))
  _wait(manager, v1="AVAILABLE", v2="AVAILABLE", v3="AVAILABLE")
  assert loads.events[0] == "load 3"
  assert _current(manager) == 3
  assert _current(manager, 1) == 1
  assert [status.version for status in manager.statuses("m")] == [3, 2, 1]


def test_waiting_ends_with_a_version_or_with_no_hope(manager, loads):
  loads.broken[1] = [DataLoss("damaged")]
  loads.broken[2] = [DataLoss("damaged, too")]
  manager.aspire("m", _paths(1, 2))
  manager.aspire("n", _paths(5))
  failed = manager.wait_until_available(["m", "n"], 5)
  assert {name: (s.version, str(s.error)) for name, s in failed.items()} == {
    "m": (2, "damaged, too")
  }
  assert manager.wait_until_available(["nothing yet"], 0.05) == {}
