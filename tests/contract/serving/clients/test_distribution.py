"""`dlpipe-client` alone: the wheel and what it requires, in an environment with nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).resolve().parents[4]
SOURCE = ROOT / "serving" / "client"
MOST_MB = 90
ASK = """
import json, sys
import dlpipe_client
from dlpipe_client import NotFound, connect

found = {"file": dlpipe_client.__file__, "version": dlpipe_client.__version__}
for endpoint in sys.argv[1:]:
  with connect(endpoint, "m") as client:
    client.wait_until_ready(timeout_s=300)
    found[endpoint] = {
      "predict": client.predict([[2.0]])["y"].tolist(),
      "regress": client.regress([{"x": 2.0}], signature_name="regress_x_to_y").tolist(),
      "inputs": sorted(client.metadata().signatures["serving_default"].inputs),
    }
found["modules"] = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
  """Built from a copy of the folder alone, by the locked setuptools, without a network."""
  folder = tmp_path_factory.mktemp("client")
  ignored = shutil.ignore_patterns("build", "__pycache__", "*.egg-info")
  shutil.copytree(SOURCE, folder / "source", ignore=ignored)
  code = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
  built = subprocess.run(
    [sys.executable, "-c", code], cwd=folder / "source", capture_output=True, text=True
  )
  assert built.returncode == 0, built.stderr[-2000:]
  [found] = folder.glob("*.whl")
  return found


@pytest.fixture(scope="module")
def metadata(wheel):
  """The wheel's METADATA."""
  with zipfile.ZipFile(wheel) as archive:
    [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
    return importlib.metadata.PathDistribution(zipfile.Path(archive, name).parent).metadata


def closure(requirements):
  """Distributions of this environment that these need, each once."""
  found, pending = {}, [Requirement(each) for each in requirements]
  while pending:
    wanted = pending.pop()
    if wanted.name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
      continue
    found[wanted.name] = distribution = importlib.metadata.distribution(wanted.name)
    assert wanted.specifier.contains(distribution.version)
    pending.extend(Requirement(each) for each in distribution.requires or ())
  return found


@pytest.fixture(scope="module")
def environment(wheel, metadata, tmp_path_factory):
  """Another environment: its Python, and the bytes that lie in it."""
  folder = tmp_path_factory.mktemp("venv")
  subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
  [packages] = folder.glob("lib/python3.*/site-packages")
  size = 0
  for distribution in closure(metadata.get_all("Requires-Dist")).values():
    for file in distribution.files:
      if ".." in file.parts or file.suffix == ".pyc":
        continue
      target = packages / file
      target.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(distribution.locate_file(file), target)
      size += target.stat().st_size
  with zipfile.ZipFile(wheel) as archive:
    archive.extractall(packages)
    size += sum(each.file_size for each in archive.infolist())
  return folder / "bin" / "python", size


def test_it_is_the_package_that_the_application_has(wheel, metadata):
  assert metadata["Version"] == importlib.metadata.version("dlpipe")
  with zipfile.ZipFile(wheel) as archive:
    held = {name for name in archive.namelist() if name.startswith("dlpipe_client/")}
    assert held == {
      f"dlpipe_client/{path.name}" for path in (SOURCE / "dlpipe_client").iterdir() if path.suffix
    } - {"dlpipe_client/__pycache__"}
    assert "dlpipe_client/py.typed" in held
    assert "class Client" in archive.read("dlpipe_client/client.py").decode()
  assert (SOURCE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_it_asks_a_server_from_an_environment_of_its_own(
  environment, serve, models, free_ports, tmp_path
):
  python, size = environment
  assert size < MOST_MB * 10**6
  with serve(
    free_ports(2), "--model_name=m", f"--model_base_path={models / 'half_plus'}"
  ) as endpoints:
    ran = subprocess.run(
      [python, "-I", "-c", ASK, *endpoints.values()],
      cwd=tmp_path,
      capture_output=True,
      text=True,
      timeout=300,
    )
  assert ran.returncode == 0, ran.stderr
  found = json.loads(ran.stdout)
  assert pathlib.Path(found["file"]).is_relative_to(python.parents[1])
  assert found["version"] == importlib.metadata.version("dlpipe")
  for endpoint in endpoints.values():
    assert found[endpoint] == {"predict": [[4.0]], "regress": [4.0], "inputs": ["x"]}
  ours = {"components", "data", "dlpipe", "pipeline", "serving", "tensorflow"}
  assert not ours & set(found["modules"])
