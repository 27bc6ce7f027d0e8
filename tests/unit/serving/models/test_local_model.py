"""`LocalModel`: which folder is loaded, what is answered, and refusals as the server gives them."""

import pathlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from serving.errors import FailedPrecondition, Internal, InvalidArgument, NotFound, ServingError
from serving.models import proto_calls
from serving.models.loader import SavedModelLoader
from serving.models.local_model import LocalModel, find_model, list_models
from serving.models.tensors import fill_proto

_ROWS = {"rows": [[1, 1, 1]], "name": ["x"]}


@pytest.fixture(scope="module")
def doubler(saved_model):
  with LocalModel.load(saved_model) as model:
    yield model


@pytest.fixture(scope="module")
def servable(saved_model):
  """The same version as the server holds it."""
  return SavedModelLoader().load("m", 1, saved_model)


def _publish(model, base, name):
  shutil.copytree(model, base / name)


def _scaled(model):
  return model.predict("serving_default", _ROWS)["scaled"].tolist()


def test_only_whole_numbers_with_a_model_are_versions(saved_model, base):
  for name in ("2", "010", "v3", "4.5", ".staging-7"):
    _publish(saved_model, base, name)
  (base / "99").mkdir()
  (base / "98").write_text("")
  assert list_models(base) == {2: base / "2", 10: base / "010"}
  assert list_models(base / "none") == {}


def test_the_largest_number_is_loaded_not_the_last_by_name(saved_model, tripler, base):
  _publish(saved_model, base, "9")
  _publish(tripler, base, "10")
  model = LocalModel.load(base)
  assert (model.version, model.path) == (10, base / "10")
  assert _scaled(model) == [[3, 3, 3]]


def test_a_version_is_had_by_number(saved_model, tripler, base):
  _publish(saved_model, base, "1")
  _publish(tripler, base, "2")
  model = LocalModel.load(base, 1)
  assert (model.version, _scaled(model)) == (1, [[2, 2, 2]])
  assert LocalModel.load(base).version == 2


def test_a_saved_model_is_loaded_as_it_is_whatever_its_folder_is_called(tripler, base, monkeypatch):
  model = LocalModel.load(tripler)
  assert (model.version, model.path, _scaled(model)) == (None, tripler, [[3, 3, 3]])
  _publish(tripler, base, "7")
  assert LocalModel.load(base / "7", 7).version == 7
  monkeypatch.chdir(base / "7")
  assert LocalModel.load(".").version == 7


@pytest.mark.parametrize("name", ["7", "candidate"])
def test_a_saved_model_of_another_version_is_refused(tripler, base, name):
  _publish(tripler, base, name)
  with pytest.raises(InvalidArgument, match=f"{name} is a SavedModel itself and not version 8"):
    LocalModel.load(base / name, 8)


def test_finding_a_version_does_not_load_it(base):
  (base / "1").mkdir(parents=True)
  (base / "1" / "saved_model.pb").write_bytes(b"garbage")
  assert find_model(base) == base / "1"


def test_no_version_at_all(base):
  with pytest.raises(NotFound, match=r"No version of a model in .*serving\."):
    LocalModel.load(base)


def test_unknown_version_lists_the_known(saved_model, base):
  for name in ("1", "3"):
    _publish(saved_model, base, name)
  with pytest.raises(NotFound, match=r"No version 2 in .*serving\. Versions: 1, 3\."):
    LocalModel.load(base, 2)


@pytest.mark.parametrize("damage", ["graph", "variables"])
def test_damaged_version_is_an_internal_error_that_names_it(saved_model, base, damage):
  _publish(saved_model, base, "1")
  if damage == "graph":
    (base / "1" / "saved_model.pb").write_bytes(b"garbage")
  else:
    shutil.rmtree(base / "1" / "variables")
  with pytest.raises(Internal, match=r"Version 1 in .*serving cannot be loaded: "):
    LocalModel.load(base)


def test_arrays_are_answered_with_arrays(doubler):
  answer = doubler.predict(
    "serving_default",
    {"rows": np.float32([[1, 2, 3], [4, 5, 6]]), "name": np.array([b"a", b"b"], object)},
  )
  assert list(answer) == ["name", "scaled"]
  assert answer["scaled"].dtype == np.float32
  np.testing.assert_array_equal(answer["scaled"], [[2, 4, 6], [8, 10, 12]])
  assert answer["name"].tolist() == [b"A", b"B"]


def test_lists_are_converted_where_nothing_is_lost(doubler):
  answer = doubler.predict("serving_default", {"rows": [[1, 2.5, 3]], "name": ["straße"]})
  np.testing.assert_array_equal(answer["scaled"], [[2, 5, 6]])
  assert answer["name"].tolist() == ["STRAßE".encode()]


def test_infinite_and_missing_numbers_stay_what_they_are(doubler):
  rows = [[float("inf"), float("nan"), 0]]
  answer = doubler.predict("serving_default", {"rows": rows, "name": ["x"]})
  np.testing.assert_array_equal(answer["scaled"], [[np.inf, np.nan, 0]])


def test_another_signature_is_asked(doubler):
  answer = doubler.predict("count", {"n": [254], "flag": True})
  assert (answer["n"].tolist(), answer["n"].dtype) == ([255], np.uint8)
  assert answer["flag"].tolist() is False


def test_only_the_outputs_that_are_asked_for_are_computed(doubler):
  assert list(doubler.predict("serving_default", _ROWS, ["scaled"])) == ["scaled"]


def test_empty_batch_is_answered(doubler):
  answer = doubler.predict("serving_default", {"rows": np.zeros((0, 3), np.float32), "name": []})
  assert answer["scaled"].shape == (0, 3)
  assert doubler.predict("count", {"n": [], "flag": [False]})["n"].shape == (0,)


@pytest.mark.parametrize("name", [[b"ab\0\0"], np.array([b"ab\0\0"], object)])
def test_bytes_keep_their_trailing_zeros(doubler, name):
  answer = doubler.predict("serving_default", {"rows": [[0, 0, 0]], "name": name})
  assert answer["name"].tolist() == [b"AB\0\0"]


def test_unequal_batches_are_the_graphs_to_accept(doubler):
  answer = doubler.predict("serving_default", {"rows": [[1, 1, 1]], "name": ["a", "b"]})
  assert (len(answer["scaled"]), len(answer["name"])) == (1, 2)


def test_unknown_signature_lists_the_known(doubler):
  with pytest.raises(FailedPrecondition) as refused:
    doubler.predict("predict", {})
  assert str(refused.value) == (
    'Serving signature key "predict" not found. The model has: count, parse, serving_default.'
  )


_FLOATS, _NAMES = np.ones((1, 3), np.float32), np.array([b"x"], object)


@pytest.mark.parametrize(
  ("signature", "inputs"),
  [
    ("serving_default", {"rows": _FLOATS}),
    ("serving_default", {"rows": _FLOATS, "name": _NAMES, "size": np.ones(1)}),
    ("serving_default", {"rows": _FLOATS, "size": np.ones(1)}),
    ("serving_default", {}),
    ("serving_default", {"rows": np.ones((1, 3)), "name": _NAMES}),
    ("serving_default", {"rows": np.ones((1, 3), np.int32), "name": _NAMES}),
    ("serving_default", {"rows": _NAMES, "name": _NAMES}),
    ("serving_default", {"rows": _FLOATS, "name": np.ones(1, np.float32)}),
    ("parse", {"examples": np.array([b"no example"], object)}),
    ("parse", {"examples": np.array([[b""]], object)}),
  ],
)
def test_a_refusal_is_the_servers(doubler, servable, signature, inputs):
  request = predict_pb2.PredictRequest()
  request.model_spec.signature_name = signature
  for name, array in inputs.items():
    fill_proto(request.inputs[name], array)
  with pytest.raises(ServingError) as served:
    proto_calls.predict(servable, request)
  with pytest.raises(ServingError) as refused:
    doubler.predict(signature, inputs)
  assert (type(refused.value), str(refused.value)) == (type(served.value), str(served.value))


def test_what_the_graph_refuses_is_the_callers_fault(doubler):
  with pytest.raises(InvalidArgument, match="Could not parse example input"):
    doubler.predict("parse", {"examples": [b"no example"]})


def test_threads_may_ask_side_by_side(doubler):
  found = []
  threads = [threading.Thread(target=lambda: found.append(_scaled(doubler))) for _ in range(6)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert found == [[[2, 2, 2]]] * 6


def test_serving_stands_alone():
  code = (
    "import sys, serving.models.local_model\n"
    "print(sorted({'tfx', 'pipeline', 'components', 'apache_beam'} & set(sys.modules)))\n"
  )
  root = pathlib.Path(__file__).parents[4]
  ran = subprocess.run(
    [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
  )
  assert ran.stdout == "[]\n"
