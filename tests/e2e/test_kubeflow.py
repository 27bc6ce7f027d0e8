"""The compiled pipeline runs end to end: `kubeflow_backend.py` is the backend.

By default tasks are forks of a process that has imported TFX. With `DLPIPE_COLD=1` each starts as
in a pod, from nothing.
"""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest

from dlpipe.workspace import TaskFolder
from pipeline.api import history

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600 if os.environ.get("DLPIPE_COLD") else 1200)]

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_ALWAYS_RUN = {"SourceState", "DriftGate", "ModelHistory", "VersionedPusher"}
_TRAINED_AGAIN = {
  *("Trainer", "PreviousModel", "Evaluator", "RecordBlessing"),
  *("BehaviourGate", "ServingGate"),
}


@pytest.fixture(scope="module")
def hook():
  """An address, and the notices that arrive there."""
  notices = []

  class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
      notices.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
      self.send_response(204)
      self.end_headers()

    def log_message(self, *args):
      pass

  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Take)
  thread = threading.Thread(target=server.serve_forever)
  thread.start()
  yield f"http://127.0.0.1:{server.server_port}/hook", notices
  server.shutdown()
  thread.join()
  server.server_close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory, hook):
  """The workspace and four runs: first, trained anew, the same again, data that is refused."""
  from pipeline.orchestrators.kubeflow.compiling import write as compile_spec
  from pipeline.settings.reading import make_config
  from pipeline.tasks import get_task

  folder = tmp_path_factory.mktemp("kubeflow")
  task = get_task("images")
  pictures = _write_digits(folder / "pictures", labels=(0, 1), count=60)
  broken = _write_digits(folder / "broken", labels=(0, 1), count=20)
  for picture in list((broken / "0").iterdir())[:8]:
    picture.write_bytes(b"no picture")

  def compiled(name, data, *settings):
    config = make_config(
      task,
      data_path=str(data),
      workspace=str(folder / "unused"),
      tiny=True,
      settings=[
        "kubeflow.image=dlpipe-training:1",
        "kubeflow.pipeline_root=minio://mlpipeline/v2/artifacts",
        "kubeflow.volume_claim=dlpipe",
        f"kubeflow.workspace={folder / 'workspace'}",
        f"kubeflow.notify_url={hook[0]}",
        "gates.accuracy.max_regression=1",
        *settings,
      ],
    )
    path = folder / f"{name}.yaml"
    compile_spec(
      task,
      config,
      source=task.sources["folder"],
      params=config.params(task).replace(image_size=28),
      output=path,
    )
    return path

  first, second = compiled("first", pictures), compiled("second", pictures, "train.seed=2")
  refused = compiled("refused", broken)
  command = [sys.executable, str(_REPOSITORY / "tests" / "e2e" / "kubeflow_backend.py")]
  command += [] if os.environ.get("DLPIPE_COLD") else ["--warm"]
  done = subprocess.run(
    [*command, str(folder / "state"), *map(str, (first, second, second, refused))],
    cwd=_REPOSITORY,
    env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
  assert len(results) == 4, done.stderr
  return folder / "workspace" / "images", results


def _write_digits(target, *, labels, count):
  from PIL import Image
  from sklearn.datasets import load_digits

  digits = load_digits()
  for label in labels:
    (target / str(label)).mkdir(parents=True)
    for index, pixels in enumerate(digits.images[digits.target == label][:count]):
      picture = Image.fromarray((pixels * 255 / 16).astype("uint8"))
      picture.save(target / str(label) / f"{index:03d}.png")
  return target


def _log(run, task):
  return pathlib.Path(run["tasks"][task]["log"]).read_text("utf-8", "replace")


def _in_state(run, state):
  return {name for name, row in run["tasks"].items() if row["state"] == state}


def test_every_container_of_the_first_run_succeeds(runs):
  workspace, (first, *_) = runs
  assert first["state"] == "SUCCEEDED", first
  assert len(_in_state(first, "COMPLETE")) == len(first["tasks"]) == 19
  served = workspace / "serving" / "1"
  assert (served / "saved_model.pb").is_file()
  [model] = first["tasks"]["Evaluator"]["inputs"]["model"]
  origin = json.loads((served / "dlpipe.json").read_text())["pushed_from"]
  assert origin.endswith("/state/" + model.replace("://", "/", 1))


def test_a_run_with_another_seed_trains_anew_on_cached_data(runs):
  workspace, (_, second, *_) = runs
  assert second["state"] == "SUCCEEDED", second
  ran = _in_state(second, "COMPLETE")
  assert ran == _ALWAYS_RUN | _TRAINED_AGAIN | {"RunNotice"}
  assert (workspace / "serving" / "2" / "saved_model.pb").is_file()


def test_it_is_compared_with_the_blessed_model_before_it(runs):
  workspace, (first, second, *_) = runs
  [old] = first["tasks"]["Evaluator"]["inputs"]["model"]
  [baseline] = second["tasks"]["Evaluator"]["inputs"]["baseline_model"]
  assert baseline == old
  # The first had none, and says so.
  [none] = first["tasks"]["Evaluator"]["inputs"]["baseline_model"]
  store = workspace.parents[1] / "state" / "minio"
  assert os.listdir(store / none.removeprefix("minio://")) == ["NO_MODEL"]
  history = json.loads((workspace / "models.json").read_text())
  assert [entry["blessed"] for entry in history] == [True, True]
  assert history[0]["uri"].endswith("/state/" + old.replace("://", "/", 1))


def test_a_run_with_nothing_new_is_cached(runs):
  workspace, (_, second, third, _) = runs
  assert third["state"] == "SUCCEEDED", third
  assert _in_state(third, "COMPLETE") == _ALWAYS_RUN | {"RunNotice"}
  # Also the baseline is that of before, not the candidate itself.
  assert third["tasks"]["Evaluator"]["inputs"] == second["tasks"]["Evaluator"]["inputs"]
  assert sorted(p.name for p in (workspace / "serving").glob("[0-9]*")) == ["1", "2"]


def test_refused_data_stops_the_run_with_a_message(runs):
  _, (*_, refused) = runs
  assert refused["state"] == "FAILED"
  assert _in_state(refused, "FAILED") == {"DataGate"}
  assert {"Transform", "Trainer", "VersionedPusher"} <= _in_state(refused, "NOT_TRIGGERED")
  assert "Error: The data is not fit to train on: 1 of " in _log(refused, "DataGate")
  assert "Traceback" not in _log(refused, "DataGate")


def test_every_run_is_told_of_by_the_exit_handler(runs, hook):
  assert [(n["pipeline"], n["state"]) for n in hook[1]] == [
    *[("images", "SUCCEEDED")] * 3,
    ("images", "FAILED"),
  ]


def test_every_run_leaves_what_a_local_run_leaves(runs):
  workspace, _ = runs
  folder = TaskFolder(workspace)
  listed = history.past_runs("images", str(workspace.parent), None)
  assert {run.run_id: (run.state, run.pushed_version) for run in listed} == {
    "run-1": ("pushed", 1),
    "run-2": ("pushed", 2),
    "run-3": ("cached", 2),
    "run-4": ("refused_data", None),
  }
  first, second = (next(run for run in listed if run.run_id == f"run-{n}") for n in (1, 2))
  assert set(first.metrics) == set(second.metrics) > {"accuracy", "skill"}
  states = {each["id"]: each["state"] for each in second.nodes}
  assert {name for name, state in states.items() if state == "COMPLETE"} == (
    (_ALWAYS_RUN | _TRAINED_AGAIN) - {"RecordBlessing"}
  )
  # Without an output, it does not know which run it is of.
  assert "RecordBlessing" not in states
  assert states["Transform"] == "CACHED"
  reports = [folder.report(f"run-{n}").read_text(encoding="utf-8") for n in (1, 2, 3, 4)]
  assert "Pushed as version 1" in reports[0]
  assert "Nothing to do: version 2 is current" in reports[2]
  assert "The data is not fit to train on" in reports[3]
  assert json.loads(folder.run_file("run-2").read_text())["config"]["train"]["seed"] == 2
  assert "Trainer" in folder.log("run-1").read_text(encoding="utf-8")
  assert (folder.quarantine("run-4") / "rejected.jsonl").stat().st_size
