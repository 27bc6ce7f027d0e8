"""What the chief tells the others, and when they believe it."""

import json
import socket
import threading
import types

import pytest

from dlpipe.errors import BadInputError
from pipeline.training.machines import cluster


def _fn_args(root):
  return types.SimpleNamespace(
    train_files=["train/*"],
    eval_files=["val/*"],
    transform_output="graph",
    hyperparameters=None,
    custom_config={"task": "images", "checkpoint_root": root and str(root)},
    data_accessor=object(),
  )


@pytest.fixture
def chief(monkeypatch):
  """The chief's address: nobody listens there at first."""
  with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
  workers = {"worker": [f"127.0.0.1:{port}", "127.0.0.1:1"]}
  monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": workers}))
  return "127.0.0.1", port


def test_a_worker_learns_what_the_chief_trains_once_that_listens(chief, tmp_path):
  found = []

  def wait():
    found.append(cluster.await_training(tmp_path / "checkpoints", str(tmp_path / "own")))

  # A killed chief left this.
  (tmp_path / "checkpoints").mkdir()
  (tmp_path / "checkpoints" / "training.json").write_text(json.dumps({"train_files": ["old/*"]}))
  thread = threading.Thread(target=wait, daemon=True)
  thread.start()
  thread.join(0.2)
  assert not found
  with cluster.announced(_fn_args(tmp_path / "checkpoints")), socket.create_server(chief):
    thread.join(300)
  [args] = found
  assert (args.train_files, args.eval_files, args.transform_output) == (
    ["train/*"],
    ["val/*"],
    "graph",
  )
  assert args.custom_config["task"] == "images"
  assert args.serving_model_dir == str(tmp_path / "own" / "serving_model_dir")
  assert not list((tmp_path / "checkpoints").iterdir())


def test_a_training_without_a_shared_folder_is_refused():
  with (
    pytest.raises(BadInputError, match="a workspace that all of them see"),
    cluster.announced(_fn_args(None)),
  ):
    pass


def test_a_worker_needs_to_know_the_others(monkeypatch, tmp_path):
  monkeypatch.setenv("TF_CONFIG", "{}")
  with pytest.raises(BadInputError, match=r"TF_CONFIG must name the workers.*Received: '\{\}'"):
    cluster.await_training(tmp_path, str(tmp_path))
