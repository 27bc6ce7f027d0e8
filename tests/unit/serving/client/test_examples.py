"""The examples in the docstrings of the client are true, of a server with one model."""

import doctest
import importlib
import inspect
import json
import pkgutil

import pytest

import dlpipe_client

_INFO = {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": "-1", "name": ""}]}, "name": "x:0"}
_SIGNATURE = {
  "inputs": {"text": _INFO},
  "outputs": {"label": _INFO, "score": {**_INFO, "dtype": "DT_FLOAT"}},
  "method_name": "tensorflow/serving/predict",
}
_SPEC = {"name": "sentiment", "signature_name": "", "version": "3"}
_METADATA = {
  "model_spec": _SPEC,
  "metadata": {"signature_def": {"signature_def": {"serving_default": _SIGNATURE}}},
}
_STATUS = {
  "version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}
}  # fmt: skip
_ANSWERS = {
  "": {"model_version_status": [_STATUS]},
  "/metadata": _METADATA,
  ":predict": {"outputs": {"label": ["positive"], "score": [0.98]}},
  ":classify": {"results": [[["positive", 0.98], ["negative", 0.02]]]},
  ":regress": {"results": [412.5]},
}


class _Server:
  """What the examples ask, as TensorFlow Serving answers it."""

  def send(self, method, path, body, headers, timeout_s):
    del method, body, headers, timeout_s
    if "/versions/9" in path:
      return 404, b'{"error": "Model sentiment has no version 9"}'
    asked = path.removeprefix("/v1/models/sentiment").removeprefix("/versions/3")
    return 200, json.dumps(_ANSWERS[asked]).encode()

  def close(self):
    pass


def _connect(endpoint, model, **options):
  """As `connect`, and what asks the sentiment model asks the server above."""
  made = dlpipe_client.connect(endpoint, model, **options)
  if model == "sentiment":
    made._transport = _Server()
  return made


def _modules():
  for module in pkgutil.iter_modules(dlpipe_client.__path__):
    found = importlib.import_module(f"dlpipe_client.{module.name}")
    if ">>> " in inspect.getsource(found):
      yield pytest.param(found, id=module.name)


@pytest.mark.parametrize("module", _modules())
def test_examples(module, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  known = {} if module.__name__ == "dlpipe_client.connect" else {"connect": _connect}
  client = _connect("http://127.0.0.1:8501", "sentiment")
  failed, tried = doctest.testmod(
    module, extraglobs={**known, "client": client}, optionflags=doctest.ELLIPSIS
  )
  assert failed == 0
  assert tried > 0


def test_every_method_that_asks_shows_a_call():
  methods = ("predict", "classify", "regress", "metadata", "status", "wait_until_ready")
  shown = [name for name in methods if ">>> client." in getattr(dlpipe_client.Client, name).__doc__]
  assert shown == list(methods)
