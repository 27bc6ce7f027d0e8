"""The images: what they copy is there, and what they install is what their code imports."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

from serving import flags

ROOT = pathlib.Path(__file__).parents[3]
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
  """(instruction, arguments) of a Dockerfile, continued lines joined."""
  lines = [line for line in (FOLDER / name).read_text().splitlines() if not line.startswith("#")]
  joined = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
  return [tuple(line.split(None, 1)) for line in joined if line.strip()]


@pytest.fixture(params=["serving.Dockerfile", "training.Dockerfile"])
def dockerfile(request):
  return request.param


def test_instructions_are_known(dockerfile):
  found = instructions(dockerfile)
  assert {each[0] for each in found} <= INSTRUCTIONS
  assert found[0][0] == "ARG"
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
  for path in (ROOT / "serving").rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Import):
        imported |= {alias.name for alias in node.names}
      elif isinstance(node, ast.ImportFrom) and node.module:
        imported.add(node.module)
  roots = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"serving"}
  wanted = {DISTRIBUTIONS.get(name, name) for name in roots}
  # Imported by name where it is installed: serving/models/op_libraries.py.
  wanted.add("tensorflow-text")
  [install] = [
    each[1] for each in instructions("serving.Dockerfile") if "uv pip install" in each[1]
  ]
  assert set(install.split()[-len(wanted) :]) == wanted
  locked = (ROOT / "constraints" / "py310-tfx1.16.txt").read_text()
  assert all(re.search(rf"^{name}==", locked, re.MULTILINE) for name in wanted)


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
