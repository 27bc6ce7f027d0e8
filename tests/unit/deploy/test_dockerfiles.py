"""The images: what they copy is there, and what they install is what their code imports."""

import ast
import importlib.metadata
import pathlib
import re
import runpy
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from serving import flags

lock_files = runpy.run_path(str(pathlib.Path(__file__).parents[3] / "scripts" / "lock_files.py"))
ROOT = pathlib.Path(__file__).parents[3]
LOCKS = sorted((ROOT / "constraints").glob("py*-tfx*.txt"))
FOLDER = ROOT / "deploy" / "docker"
INSTRUCTIONS = {
  "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL",
  "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
DISTRIBUTIONS = {
  "google": "protobuf",
  "grpc": "grpcio",
  "simdjson": "pysimdjson",
  "tensorflow_serving": "tensorflow-serving-api",
}


def instructions(name):
  """(instruction, arguments) of a Dockerfile: continued lines joined, $WORLD filled in."""
  lines = [line for line in (FOLDER / name).read_text().splitlines() if not line.startswith("#")]
  joined = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
  [world] = [line.partition("=")[2] for line in joined if line.startswith("ARG WORLD=")]
  filled = [line.replace("${WORLD}", world) for line in joined if line.strip()]
  return [tuple(line.split(None, 1)) for line in filled]


@pytest.fixture(params=["serving.Dockerfile", "training.Dockerfile"])
def dockerfile(request):
  return request.param


def test_instructions_are_known(dockerfile):
  found = instructions(dockerfile)
  assert {each[0] for each in found} <= INSTRUCTIONS
  assert [each[0] for each in found[:3]] == ["ARG", "ARG", "FROM"]
  assert [each[1] for each in found if each[0] == "FROM"] == [
    "${PYTHON_IMAGE} AS build",
    "${PYTHON_IMAGE}",
  ]


def test_what_is_copied_is_there_and_is_sent_to_the_builder(dockerfile):
  ignore = (FOLDER / f"{dockerfile}.dockerignore").read_text().split()
  assert ignore[0] == "*"
  sent = [line[1:] for line in ignore if line.startswith("!")]
  assert all((ROOT / each).exists() for each in sent)
  for instruction, arguments in instructions(dockerfile):
    if instruction != "COPY" or "--from=" in arguments:
      continue
    *sources, _ = [word for word in arguments.split() if not word.startswith("--")]
    for source in sources:
      assert (ROOT / source).exists()
      assert source == "." or any(f"{source}/".startswith(f"{each}/") for each in sent)


def test_the_last_stage_runs_as_nobody(dockerfile):
  found = instructions(dockerfile)
  last = found[[each[0] for each in found].index("FROM", 2) :]
  assert dict(last)["USER"] == "10001:10001"
  assert [each[0] for each in last].index("USER") < [each[0] for each in last].index("ENTRYPOINT")


def test_the_serving_image_installs_what_the_server_imports():
  imported = set()
  ignored = (FOLDER / "serving.Dockerfile.dockerignore").read_text().splitlines()
  assert "serving/client" in ignored
  for path in {*(ROOT / "serving").rglob("*.py")} - {*(ROOT / "serving" / "client").rglob("*.py")}:
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Import):
        imported |= {alias.name for alias in node.names}
      elif isinstance(node, ast.ImportFrom) and node.module:
        imported.add(node.module)
  roots = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"serving"}
  wanted = {DISTRIBUTIONS.get(name, name) for name in roots}
  # Imported by name where it is installed: serving/op_libraries.py.
  wanted.add("tensorflow-text")
  listed = (ROOT / "constraints" / "roles" / "server.in").read_text()
  named = set(re.findall(r"^([a-z-]+)", listed, re.MULTILINE))
  assert named | {"tensorflow"} == wanted
  installed = pins("server", name_of_lock("serving.Dockerfile"))
  assert named | {"tensorflow-cpu"} <= installed.keys()
  assert not {"tensorflow", "tfx", "apache-beam", "pyarrow"} & installed.keys()


def name_of_lock(dockerfile):
  """The world that an image is of."""
  [world] = [each[1] for each in instructions(dockerfile) if each[1].startswith("WORLD=")]
  return world.partition("=")[2]


def pins(role, world):
  """Package name to its pin."""
  path = ROOT / "constraints" / "roles" / f"{role}-{world}.txt"
  return {pin.name: pin for pin in lock_files["read_lock"](path)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("role", ["server", "training"])
def test_what_a_role_has_is_what_the_lock_has(role, lock):
  whole = {pin.name: pin for pin in lock_files["read_lock"](lock)}
  part = pins(role, lock.stem)
  cpu = part.pop("tensorflow-cpu", None)
  assert (cpu and cpu.version) == (whole["tensorflow"].version if role == "server" else None)
  assert {name: (each.version, each.hashes) for name, each in part.items()} == {
    name: (whole[name].version, whole[name].hashes) for name in part
  }
  assert len(part) < len(whole)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_role_has_no_tools_of_developers(lock):
  wanted = [Requirement(each) for each in importlib.metadata.requires("dlpipe")]
  tools = {
    each.name
    for each in wanted
    if each.marker and any(each.marker.evaluate({"extra": extra}) for extra in ("lint", "test"))
  }
  tools -= {each.name for each in wanted if not each.marker or each.marker.evaluate({"extra": ""})}
  whole = {pin.name: pin for pin in lock_files["read_lock"](lock)}
  # Some are what others need, too, such as kfp the client of Kubernetes.
  tools = {name for name in tools if set(whole[name].wanted_by) <= {"dlpipe", *tools}}
  assert {"pytest", "mypy", "ruff"} <= tools
  for role in ("server", "training"):
    assert not tools & pins(role, lock.stem).keys()


def test_the_entry_point_starts_the_server_with_its_flags(tmp_path):
  fake = tmp_path / "python"
  fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
  fake.chmod(0o755)
  ran = subprocess.run(
    [FOLDER / "serve.sh", "--enable_batching"],
    env={"PATH": f"{tmp_path}:/usr/bin:/bin", "MODEL_NAME": "images", "MODEL_BASE_PATH": "/models"},
    capture_output=True,
    text=True,
    check=True,
  )
  module, name, *arguments = ran.stdout.split()
  assert (module, name) == ("-m", "serving")
  found, unknown = flags.parse(arguments)
  assert unknown == []
  assert (found.host, found.port, found.rest_api_port) == ("0.0.0.0", 8500, 8501)
  assert (found.model_name, found.model_base_path) == ("images", "/models/images")
  assert found.enable_batching is True
  # On every interface and without tokens: not by whoever comes along.
  assert (found.enable_config_reload, found.enable_profiler) == (False, False)
