"""How example requests are executed, and what is read out of what they print."""

import time

import numpy as np
import pytest

from components.serving_gate import snippets
from components.serving_gate.snippets import Snippets, read_answer

_EXPECTED = {"label": np.array([b"cat"]), "score": np.float32([0.75])}


@pytest.mark.parametrize(
  "printed",
  [
    '{"predictions": [{"label": "cat", "score": 0.75}]}',
    '{\n "predictions": [{"label": {"b64": "Y2F0"}, "score": 0.75}]\n}',
    '{"label": ["cat"], "score": [0.75]}',
  ],
)
def test_answers_by_rows_and_by_columns_are_the_same(printed):
  found = read_answer(printed, _EXPECTED)
  assert {name: array.tolist() for name, array in found.items()} in (
    {"label": ["cat"], "score": [0.75]},
    {"label": [b"cat"], "score": [0.75]},
  )
  assert found["label"].dtype == object
  assert found["score"].dtype == np.float64


def test_a_single_output_has_no_name_in_an_answer_by_rows():
  found = read_answer('{"predictions": [[1.5, 2.5]]}', {"y": np.float32([[1.5, 2.5]])})
  assert found["y"].tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize(
  ("printed", "message"),
  [
    ("<html>", "it prints no JSON: '<html>'"),
    ('{"error": "no such model"}', "no answer: .*no such model"),
    ("[1]", "it prints no answer"),
    ('{"predictions": [1, 2]}', "no answer to one row"),
  ],
)
def test_what_is_no_answer_is_told(printed, message):
  with pytest.raises(ValueError, match=message):
    read_answer(printed, _EXPECTED)


@pytest.fixture
def folder(tmp_path):
  """Examples that say where they were told to ask."""
  (tmp_path / "curl.sh").write_text('echo "{\\"address\\": [\\"$REST_ADDRESS\\"]}"\n')
  for name, variable in (("predict_rest.py", "REST_ADDRESS"), ("predict_grpc.py", "GRPC_ADDRESS")):
    (tmp_path / name).write_text(
      f"import json, os\nprint(json.dumps({{'address': [os.environ['{variable}']]}}))\n"
    )
  return tmp_path


def _ask(folder):
  with Snippets(folder, rest_url="http://h:1", grpc_target="h:2") as running:
    results = list(running.results({"address": np.array([b"http://h:1"])}, tolerance=0))
  return running, {each.loader: each for each in results}


def test_each_is_executed_with_the_servers_address(folder, monkeypatch):
  monkeypatch.setattr(snippets.shutil, "which", lambda name: f"/bin/{name}")
  running, results = _ask(folder)
  assert running.skipped == ()
  assert {name: each.passed for name, each in results.items()} == {
    "curl.sh": True,
    "predict_rest.py": True,
    "predict_grpc.py": False,
  }
  assert results["predict_grpc.py"].reason == "is 'h:2', expected 'http://h:1' in row 0"
  assert sorted(path.name for path in folder.iterdir()) == sorted(results)


def test_without_curl_the_others_are_executed_and_that_is_said(folder, monkeypatch):
  monkeypatch.setattr(snippets.shutil, "which", lambda name: None)
  running, results = _ask(folder)
  assert running.skipped == ("curl.sh was not executed: this machine has no curl.",)
  assert sorted(results) == ["predict_grpc.py", "predict_rest.py"]


def test_one_that_hangs_is_ended(folder, monkeypatch):
  monkeypatch.setattr(snippets, "_TIMEOUT_S", 0.2)
  monkeypatch.setattr(snippets.shutil, "which", lambda name: None)
  (folder / "predict_rest.py").write_text("import time\ntime.sleep(600)\n")
  started = time.monotonic()
  _, results = _ask(folder)
  assert time.monotonic() - started < 300
  assert results["predict_rest.py"].reason.endswith("timed out after 0.2 seconds")
