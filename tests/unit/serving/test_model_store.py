"""`ModelStore`: which directories are versions, which one is served, what is loaded when."""

import pathlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from serving import model_store
from serving.errors import Internal, InvalidArgument, NotFound
from serving.model_store import ModelStore


def _publish(model, base, name):
  shutil.copytree(model, base / name)


def _scaled(model):
  rows = np.ones((1, 3), np.float32)
  return model.run("serving_default", {"rows": rows, "name": np.array([b"x"], object)})["scaled"]


def test_only_whole_numbers_with_a_model_are_versions(saved_model, base):
  for name in ("2", "010", "v3", "4.5", ".staging-7"):
    _publish(saved_model, base, name)
  (base / "99").mkdir()
  (base / "98").write_text("")
  assert ModelStore(base).versions() == [2, 10]


def test_the_largest_number_is_served_not_the_last_by_name(saved_model, tripler, base):
  _publish(saved_model, base, "9")
  _publish(tripler, base, "10")
  model = ModelStore(base).get()
  assert model.version == 10
  np.testing.assert_array_equal(_scaled(model), [[3, 3, 3]])


def test_a_version_is_had_by_number(saved_model, tripler, base):
  _publish(saved_model, base, "1")
  _publish(tripler, base, "2")
  model = ModelStore(base).get(1)
  assert model.version == 1
  np.testing.assert_array_equal(_scaled(model), [[2, 2, 2]])


def test_a_new_version_is_served_from_the_next_request_on(saved_model, tripler, base):
  store = ModelStore(base)
  _publish(saved_model, base, "1")
  assert store.get().version == 1
  _publish(tripler, base, "2")
  assert store.get().version == 2


def test_a_version_is_loaded_once_even_by_many_at_once(saved_model, base, monkeypatch):
  _publish(saved_model, base, "1")
  loads = []
  original = model_store.LoadedModel

  def counted(path, version):
    loads.append(version)
    return original(path, version)

  monkeypatch.setattr(model_store, "LoadedModel", counted)
  store, found = ModelStore(base), []
  threads = [threading.Thread(target=lambda: found.append(store.get())) for _ in range(6)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert loads == [1]
  assert len(found) == 6
  assert all(model is found[0] for model in found)


def test_nothing_is_loaded_before_it_is_asked_for(base):
  (base / "1").mkdir(parents=True)
  (base / "1" / "saved_model.pb").write_bytes(b"garbage")
  assert ModelStore(base).versions() == [1]


def test_no_version_at_all(base):
  with pytest.raises(NotFound, match=r"No version of a model in .*serving\."):
    ModelStore(base).get()


def test_unknown_version_lists_the_known(saved_model, base):
  for name in ("1", "3"):
    _publish(saved_model, base, name)
  with pytest.raises(NotFound, match=r"No version 2 in .*serving\. Versions: 1, 3\."):
    ModelStore(base).get(2)


@pytest.mark.parametrize("damage", ["graph", "variables"])
def test_damaged_version_is_an_internal_error_that_names_it(saved_model, base, damage):
  _publish(saved_model, base, "1")
  if damage == "graph":
    (base / "1" / "saved_model.pb").write_bytes(b"garbage")
  else:
    shutil.rmtree(base / "1" / "variables")
  with pytest.raises(Internal, match=r"Version 1 in .*serving cannot be loaded: "):
    ModelStore(base).get()


def test_an_error_of_the_graph_has_the_class_of_its_status(saved_model, base):
  _publish(saved_model, base, "1")
  with pytest.raises(InvalidArgument, match="Could not parse example input"):
    ModelStore(base).get().run("parse", {"examples": np.array([b"no example"], object)})


def test_serving_stands_alone():
  code = (
    "import sys, serving.predictor\n"
    "print(sorted({'tfx', 'pipeline', 'components', 'apache_beam'} & set(sys.modules)))\n"
  )
  root = pathlib.Path(__file__).parents[3]
  ran = subprocess.run(
    [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
  )
  assert ran.stdout == "[]\n"
