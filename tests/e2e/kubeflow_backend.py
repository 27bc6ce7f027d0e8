"""Runs compiled Kubeflow specs on this machine, task by task, as the open-source backend would.

    python tests/e2e/kubeflow_backend.py [--warm] STATE_DIR SPEC.yaml...

What a driver and a launcher pod do for a task, this does in one process: it waits for what the task
depends on, resolves its inputs, asks the cache with the key that the backend's `cacheutils` makes,
fills `{{$}}` in and starts the container's command as a process, again as often as the retry policy
says. Exit handlers run at the end with the final status. Executors that the backend does not have
(resolvers) are refused here, too. STATE_DIR holds the object store's content, the cache, and a log
for each task.

Each spec is a run, whose result is a line of JSON on stdout: `{"state", "tasks": {name: {"state",
"seconds", "inputs", "log"}}}`. `--warm` imports TFX once and forks for each task; without it, each
starts as in a pod.
Knows nothing of ours but the module that the spec's command names.

Source: kubeflow/pipelines, backend/src/v2: compiler/visitor.go, cacheutils/cache.go,
component/launcher_v2.go.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import hashlib
import importlib
import json
import os
import pathlib
import runpy
import subprocess
import sys
import time
import traceback
from typing import Any

import yaml

_DONE = ("COMPLETE", "CACHED")
_ITERATORS = {"parameterIterator", "artifactIterator"}
_EXIT_HANDLER = "ALL_UPSTREAM_TASKS_COMPLETED"
_WARM_MODULES = (
  "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
  "tfx.components",
  "tensorflow_model_analysis",
  "tensorflow_serving.apis.prediction_log_pb2",
  "pipeline.training.run",
  "components.source_example_gen.executor",
)


@dataclasses.dataclass
class Outputs:
  """What a task left: artifacts and parameters by name."""

  artifacts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
  parameters: dict[str, Any] = dataclasses.field(default_factory=dict)


class Store:
  """Numbers artifacts and keeps the cache, across runs."""

  def __init__(self, root: pathlib.Path):
    self.root = root
    self._file = root / "store.json"
    self._state = {"runs": 0, "artifacts": 0, "cache": {}}
    if self._file.exists():
      self._state = json.loads(self._file.read_text("utf-8"))
    self._state["runs"] += 1
    self.run_dir = root / f"run-{self._state['runs']}"
    self.run_dir.mkdir(parents=True)
    self._save()

  def local_path(self, uri: str) -> pathlib.Path:
    """Where the launcher keeps its copy of an artifact; in a pod, below the root folder."""
    scheme, _, rest = uri.partition("://")
    return self.root / {"gs": "gcs"}.get(scheme, scheme) / rest

  def number(self, artifact: dict[str, Any]) -> dict[str, Any]:
    self._state["artifacts"] += 1
    return {**artifact, "name": str(self._state["artifacts"])}

  def cached(self, key: str) -> Outputs | None:
    found = self._state["cache"].get(key)
    return Outputs(**found) if found else None

  def keep(self, key: str | None, outputs: Outputs) -> None:
    if key:
      self._state["cache"][key] = dataclasses.asdict(outputs)
    self._save()

  def _save(self) -> None:
    self._file.write_text(json.dumps(self._state, indent=1), "utf-8")


class Backend:
  """One run of one spec."""

  def __init__(self, spec: dict[str, Any], store: Store, *, warm: bool):
    self._spec = spec
    self._executors = spec["deploymentSpec"]["executors"]
    self._store = store
    self._warm = warm
    self.rows: dict[str, dict[str, Any]] = {}
    defined = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    self._parameters = {name: each["defaultValue"] for name, each in defined.items()}

  def run(self) -> str:
    """Runs the root DAG; returns SUCCEEDED or FAILED."""
    return self._run_dag(self._spec["root"]["dag"]["tasks"])

  def _run_dag(self, tasks: dict[str, Any]) -> str:
    done: dict[str, Outputs] = {}
    states: dict[str, str] = {}
    handlers = [n for n, t in tasks.items() if _strategy(t) == _EXIT_HANDLER]
    pending = [name for name in tasks if name not in handlers]
    while pending:
      ready = [n for n in pending if not _dependencies(tasks[n]) & set(pending)]
      if not ready:
        raise ValueError(f"These tasks wait for each other, or for none there is: {pending}")
      name = ready[0]
      pending.remove(name)
      if missing := _dependencies(tasks[name]) - set(states):
        raise ValueError(f"{name} waits for tasks that there are not: {missing}")
      if all(states[d] in _DONE for d in _dependencies(tasks[name])):
        states[name], done[name] = self._run_task(name, tasks[name], done, {})
      else:
        states[name] = "NOT_TRIGGERED"
        self.rows[name] = {"state": states[name], "seconds": 0.0}
    final = "SUCCEEDED" if set(states.values()) <= set(_DONE) else "FAILED"
    for name in handlers:
      states[name], _ = self._run_task(name, tasks[name], done, {"state": final})
    return final

  def _run_task(
    self, name: str, task: dict[str, Any], done: dict[str, Outputs], status: dict[str, Any]
  ) -> tuple[str, Outputs]:
    if "condition" in task.get("triggerPolicy", {}) or set(task) & _ITERATORS:
      raise NotImplementedError(f"{name}: conditions and iterators, which no pipeline of ours has")
    component = self._spec["components"][task["componentRef"]["name"]]
    if "dag" in component:
      final = self._run_dag(component["dag"]["tasks"])
      return ("COMPLETE" if final == "SUCCEEDED" else "FAILED"), Outputs()
    executor = self._executors[component["executorLabel"]]
    if "container" not in executor:
      raise NotImplementedError(f"{name}: non-container executor not implemented: {executor}")
    started = time.monotonic()
    inputs = _resolve(task, done, status, self._parameters)
    key = None
    if task.get("cachingOptions", {}).get("enableCache"):
      key = _cache_key(executor["container"], component, inputs)
    log = self._store.run_dir / f"{name}.log"
    outputs = self._store.cached(key) if key else None
    state = "CACHED"
    if outputs is None:
      attempts = 1 + task.get("retryPolicy", {}).get("maxRetryCount", 0)
      for attempt in range(attempts):
        folder = self._store.run_dir / f"{name}-{attempt}"
        outputs = self._launch(executor["container"], component, inputs, folder, log)
        if outputs is not None:
          break
      state = "COMPLETE" if outputs is not None else "FAILED"
    if state == "COMPLETE":
      self._store.keep(key, outputs)
    self.rows[name] = {
      "state": state,
      "seconds": round(time.monotonic() - started, 1),
      "inputs": {k: [a["uri"] for a in v["artifacts"]] for k, v in inputs["artifacts"].items()},
      "log": str(log),
    }
    return state, outputs or Outputs()

  def _launch(
    self,
    container: dict[str, Any],
    component: dict[str, Any],
    inputs: dict[str, Any],
    folder: pathlib.Path,
    log: pathlib.Path,
  ) -> Outputs | None:
    """Runs a container's command; returns what it left, or None where it failed."""
    folder.mkdir()
    defined = component.get("outputDefinitions", {})
    address = f"{self._spec['defaultPipelineRoot']}/{folder.parent.name}/{folder.name}"
    provisioned = {
      key: {
        "uri": f"{address}/{key}",
        "type": spec["artifactType"],
        "metadata": spec.get("metadata", {}),
      }
      for key, spec in defined.get("artifacts", {}).items()
    }
    for artifact in provisioned.values():
      self._store.local_path(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
    output_file = folder / "output_metadata.json"
    executor_input = json.dumps(
      {
        "inputs": inputs,
        "outputs": {
          "artifacts": {k: {"artifacts": [v]} for k, v in provisioned.items()},
          "parameters": {
            k: {"outputFile": str(folder / f"{k}.txt")} for k in defined.get("parameters", {})
          },
          "outputFile": str(output_file),
        },
      }
    )
    words = [*container["command"], *container.get("args", [])]
    words = [word.replace("{{$}}", executor_input) for word in words]
    os.environ["DLPIPE_MOUNT_ROOT"] = str(self._store.root)
    variables = {each["name"]: each["value"] for each in container.get("env", [])}
    code = (_forked if self._warm else _started)(words, log, variables)
    if code:
      return None
    written = json.loads(output_file.read_text("utf-8")) if output_file.exists() else {}
    artifacts = {}
    for key, artifact in provisioned.items():
      [told] = written.get("artifacts", {}).get(key, {}).get("artifacts") or [{}]
      merged = {**artifact["metadata"], **told.get("metadata", {})}
      artifacts[key] = self._store.number(
        {**artifact, "uri": told.get("uri") or artifact["uri"], "metadata": merged}
      )
    return Outputs(artifacts, written.get("parameterValues", {}))


def _strategy(task: dict[str, Any]) -> str:
  return task.get("triggerPolicy", {}).get("strategy", "")


def _dependencies(task: dict[str, Any]) -> set[str]:
  found = set(task.get("dependentTasks", []))
  for kind, key in (("artifacts", "taskOutputArtifact"), ("parameters", "taskOutputParameter")):
    for value in task.get("inputs", {}).get(kind, {}).values():
      if key in value:
        found.add(value[key]["producerTask"])
  return found


def _resolve(
  task: dict[str, Any],
  done: dict[str, Outputs],
  status: dict[str, Any],
  parameters: dict[str, Any],
) -> dict[str, Any]:
  """The task's inputs as an `ExecutorInput` has them."""
  artifacts, values = {}, {}
  for name, spec in task.get("inputs", {}).get("artifacts", {}).items():
    origin = spec["taskOutputArtifact"]
    artifact = done[origin["producerTask"]].artifacts[origin["outputArtifactKey"]]
    artifacts[name] = {"artifacts": [artifact]}
  for name, spec in task.get("inputs", {}).get("parameters", {}).items():
    if "taskOutputParameter" in spec:
      origin = spec["taskOutputParameter"]
      values[name] = done[origin["producerTask"]].parameters[origin["outputParameterKey"]]
    elif "componentInputParameter" in spec:
      values[name] = parameters[spec["componentInputParameter"]]
    elif "taskFinalStatus" in spec:
      values[name] = status
    else:
      values[name] = spec["runtimeValue"]["constant"]
  return {"artifacts": artifacts, "parameterValues": values}


def _cache_key(container: dict[str, Any], component: dict[str, Any], inputs: dict[str, Any]) -> str:
  names = {k: [a["name"] for a in v["artifacts"]] for k, v in inputs["artifacts"].items()}
  parts = [
    container["image"],
    container["command"],
    container.get("args", []),
    names,
    inputs["parameterValues"],
    component.get("outputDefinitions", {}),
  ]
  return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _started(words: list[str], log: pathlib.Path, variables: dict[str, str]) -> int:
  """Runs a command in a process of its own; the image's Python is this one."""
  with log.open("ab") as file:
    command = [sys.executable if word == "python" else word for word in words]
    env = {**os.environ, **variables}
    return subprocess.run(command, stdout=file, stderr=file, env=env, check=False).returncode


def _forked(words: list[str], log: pathlib.Path, variables: dict[str, str]) -> int:
  """Runs `python -m MODULE ...` in a fork of this process, which has imported TFX."""
  python, dash_m, module, *arguments = words
  assert (python, dash_m) == ("python", "-m"), words
  sys.stdout.flush()
  child = os.fork()
  if child:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
  with log.open("ab") as file:
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
  os.environ.update(variables)
  sys.argv = [module, *arguments]
  try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    os._exit(0)
  except BaseException:
    traceback.print_exc()
    os._exit(1)


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument("state_dir", type=pathlib.Path)
  parser.add_argument("spec", type=pathlib.Path, nargs="+")
  parser.add_argument("--warm", action="store_true")
  arguments = parser.parse_args()
  if arguments.warm:
    gc.set_threshold(20_000, 10, 10)
    for module in _WARM_MODULES:
      importlib.import_module(module)
    gc.freeze()
  for path in arguments.spec:
    spec = next(yaml.safe_load_all(path.read_text("utf-8")))
    backend = Backend(spec, Store(arguments.state_dir.resolve()), warm=arguments.warm)
    state = backend.run()
    sys.stdout.write(json.dumps({"state": state, "tasks": backend.rows}) + "\n")


if __name__ == "__main__":
  main()
