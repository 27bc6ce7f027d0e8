"""A pipeline node by node, in processes of their own, against real databases.

`DLPIPE_NODE_TASKS=all` takes every task to every database, the texts with their whole sample data.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from dlpipe.workspace import TaskFolder
from pipeline.runs import lineage
from pipeline.runs.store.metadata_stores import open_store, read_connection

pytestmark = pytest.mark.e2e

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
_COMMAND = [sys.executable, "-m", "pipeline.cli.main"]
_TIMEOUT_S = 600
# One epoch learns little; what it learns must be the same everywhere.
_SETTINGS = ("--tiny", "--set", "train.epochs=1")
_GATES = {
  "images": ("gates.skill=-1", "gates.worst_recall=null"),
  "sentiment": (
    *("gates.skill=-1", "gates.worst_recall=null"),
    *("gates.auc=0", "gates.calibration_error=1"),
  ),
  "translation": ("gates.bleu=0",),
}
# What two runs of the same pipeline may differ in; metrics are compared for themselves.
_DIFFERENT = {"run_id", "serving_dir", "metrics", "gates", "components", "report"}
_SAID = ("task", "data_path", "tiny", "train", "gates", "data")
_STORES = ("postgresql", "mariadb")
_CASES = [("images", "postgresql")]
if os.environ.get("DLPIPE_NODE_TASKS") == "all":
  _CASES = [(task, store) for store in _STORES for task in _GATES]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """Four hundred of the shipped digits, in class folders."""
  from PIL import Image
  from sklearn.datasets import load_digits

  found = load_digits()
  root = tmp_path_factory.mktemp("digits")
  for index in range(400):
    folder = root / str(found.target[index])
    folder.mkdir(exist_ok=True)
    picture = Image.fromarray((found.images[index] * 255 / 16).astype("uint8"))
    picture.save(folder / f"{index:04d}.png")
  return root


@pytest.fixture(scope="module")
def worker_process(
  tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[subprocess.Popen[bytes], pathlib.Path]]:
  """A real worker and its address."""
  folder = tmp_path_factory.mktemp("worker")
  with (folder / "log").open("wb") as log:
    process = subprocess.Popen(
      [*_COMMAND, "worker", "--address", str(folder / "socket")],
      cwd=_REPOSITORY,
      env=_ENVIRONMENT,
      stdout=log,
      stderr=subprocess.STDOUT,
    )
    try:
      deadline = time.monotonic() + _TIMEOUT_S
      while "Listening at" not in (folder / "log").read_text(errors="replace"):
        assert process.poll() is None, (folder / "log").read_text(errors="replace")
        assert time.monotonic() < deadline
        time.sleep(0.2)
      yield process, folder / "socket"
    finally:
      process.terminate()
      process.wait(timeout=_TIMEOUT_S)


@pytest.fixture(scope="module")
def worker(worker_process: tuple[subprocess.Popen[bytes], pathlib.Path]) -> pathlib.Path:
  """A real worker's address."""
  return worker_process[1]


def _start(*arguments: object) -> subprocess.Popen[str]:
  return subprocess.Popen(
    [*_COMMAND, *map(str, arguments)],
    cwd=_REPOSITORY,
    env=_ENVIRONMENT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def _ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
  stdout, stderr = process.communicate(timeout=_TIMEOUT_S)
  return process.returncode, stdout, stderr


def _run(*arguments: object) -> tuple[int, str, str]:
  return _ended(_start(*arguments))


def test_what_a_worker_imports_starts_no_thread_that_a_fork_would_lose(worker_process):
  process, _ = worker_process
  folder = pathlib.Path(f"/proc/{process.pid}")
  threads = {(task / "comm").read_text().strip() for task in (folder / "task").iterdir()}
  # jemalloc's copes with forks, and so does OpenBLAS, whose threads bear the process's name.
  assert threads <= {(folder / "comm").read_text().strip(), "jemalloc_bg_thd"}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("task", "store"), _CASES)
def test_every_node_by_itself_comes_to_what_one_process_comes_to(
  task, store, digits, worker, request, tmp_path
):
  database = request.getfixturevalue(store)(f"nodes_{task}")
  ir = tmp_path / f"{task}.json"
  data = ("--data", digits) if task == "images" else ()
  gates = (part for gate in _GATES[task] for part in ("--set", gate))
  told = (*data, *_SETTINGS, *gates, "--workspace")
  assert _run("compile", task, *told, tmp_path / "apart", "--for", "ir", "-o", ir)[0] == 0
  nodes = {
    spec["pipeline_node"]["node_info"]["id"]: spec["pipeline_node"].get("upstream_nodes", [])
    for spec in json.loads(ir.read_text())["nodes"]
  }
  common = ("node", "--ir", ir, "--run-id", "r 1", "--mlmd", database, "--worker", worker, "--json")

  code, _, stderr = _run(*common, "--node", "Transform")
  assert code == 1
  assert "could not be found in the run r 1: DataGate has not run;" in stderr

  left = dict(nodes)
  while left:
    # As an orchestrator does: whatever waits for nothing any more, at the same time.
    wave = [name for name, upstream in left.items() if not set(upstream) & set(left)]
    for name in wave:
      if name == "Trainer":
        _kill_at_work(_start(*common, "--node", name), tmp_path / "apart" / task)
    started = {name: _start(*common, "--node", name) for name in wave}
    for name, process in started.items():
      code, stdout, stderr = _ended(process)
      assert code == 0, f"{name}: {stderr[-3000:]}"
      assert json.loads(stdout)["node"] == name
      del left[name]
  assert _run(*common, "--node", "Trainer")[0] == 0
  finished = _run("finish", *common[1:-3], "--json")
  assert finished[0] == 0, finished[2][-3000:]

  whole = _run("run", task, *told, tmp_path / "whole", "--processes", "--json")
  assert whole[0] == 0, whole[2][-3000:]
  expected = json.loads(whole[1].splitlines()[-1])
  code, stdout, stderr = _run("runs", "show", "r 1", "--mlmd", database, "--json")
  assert code == 0, stderr[-3000:]
  shown = json.loads(stdout.splitlines()[-1])
  assert (shown["state"], shown["pushed_version"]) == (expected["state"], 1) == ("pushed", 1)
  assert {each["id"] for each in shown["nodes"]} == set(nodes)
  assert shown["metrics"] == pytest.approx(expected["metrics"], abs=1e-6)
  # A text with a backslash, which ml-metadata garbles on PostgreSQL, came through.
  graph = next(each for each in shown["nodes"] if each["id"] == "Transform")["outputs"]
  assert pathlib.Path(graph["transform_graph"]).is_dir()
  # The run has ended as the whole one did.
  ended = json.loads(finished[1].splitlines()[-1])
  assert {name for name in ended if ended[name] != expected[name]} <= _DIFFERENT
  folder = TaskFolder(tmp_path / "apart" / task)
  told = {name: json.loads(folder.run_file("r 1").read_text())["config"][name] for name in _SAID}
  whole_folder = TaskFolder(tmp_path / "whole" / task)
  [path] = whole_folder.run_file("*").parent.glob("*.json")
  assert told == {name: json.loads(path.read_text())["config"][name] for name in _SAID}
  assert "Pushed as version 1" in folder.report("r 1").read_text(encoding="utf-8")
  assert "Trainer" in folder.log("r 1").read_text(encoding="utf-8")


def _kill_at_work(client: subprocess.Popen[str], workspace: pathlib.Path) -> None:
  """Kills the client, and with it the node, once the node is at work."""
  running = workspace / "artifacts" / ".running"
  deadline = time.monotonic() + _TIMEOUT_S
  while not (running.is_dir() and any("Trainer" in p.name for p in running.iterdir())):
    assert time.monotonic() < deadline
    time.sleep(0.05)
  time.sleep(0.5)
  client.kill()
  client.communicate()
  # The lock of a process that was killed is free as soon as the kernel has ended it.
  time.sleep(1)


@pytest.mark.timeout(1200)
def test_two_runs_at_once_on_a_new_database_stay_apart(digits, mariadb, tmp_path):
  database = mariadb("together")
  told = ("check", "images", "--data", digits, "--mlmd", database, "--json", "--workspace")
  both = [_start(*told, tmp_path / name) for name in ("one", "two")]
  found = {}
  for process in both:
    code, stdout, stderr = _ended(process)
    assert code == 0, stderr[-3000:]
    result = json.loads(stdout.splitlines()[-1])
    found[result["run_id"]] = [each["id"] for each in result["components"]]
  with open_store(read_connection(str(database))) as handle:
    listed = lineage.list_runs(handle, "images")
    runs = {run_id: lineage.show_run(handle, run_id) for run_id in found}
  assert {each.run_id: each.state for each in listed} == dict.fromkeys(found, "done")
  for run_id, nodes in found.items():
    by_name = {each["id"]: each for each in runs[run_id].nodes}
    assert sorted(by_name) == sorted(nodes)
    # Each run's statistics are of its own examples, or of those it took from the other's cache.
    assert (
      by_name["StatisticsGen"]["inputs"]["examples"]
      == by_name["SourceExampleGen"]["outputs"]["examples"]
    )
