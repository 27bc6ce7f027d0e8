"""scripts/sbom.py: a bill of materials says what its lock says, and invents nothing."""

import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_LOCKS = sorted((_ROOT / "constraints").glob("*.txt"))
_PIN = re.compile(r"^([\w.-]+)==([^ ;\\]+)", re.MULTILINE)


def _write(output, *options):
  subprocess.run(
    [sys.executable, "scripts/sbom.py", "--output", str(output), *options],
    cwd=_ROOT,
    check=True,
    capture_output=True,
    timeout=120,
  )
  return {path.name: path.read_bytes() for path in output.iterdir()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
  return _write(tmp_path_factory.mktemp("sbom"))


def test_the_same_locks_give_the_same_bytes(written, tmp_path):
  assert _write(tmp_path) == written
  assert sorted(written) == [f"{lock.stem}.cdx.json" for lock in _LOCKS]


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: lock.stem)
def test_components_are_the_locks_pins_with_all_their_hashes(written, lock):
  text = lock.read_text()
  document = json.loads(written[f"{lock.stem}.cdx.json"])
  found = [(component["name"], component["version"]) for component in document["components"]]
  assert sorted(found) == sorted(_PIN.findall(text))
  digests = [
    entry["content"] for component in document["components"] for entry in component["hashes"]
  ]
  assert sorted(digests) == sorted(re.findall(r"--hash=sha256:(\w+)", text))


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: lock.stem)
def test_everything_is_there_because_of_the_project(written, lock):
  document = json.loads(written[f"{lock.stem}.cdx.json"])
  wants = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
  root = document["metadata"]["component"]["bom-ref"]
  reached, waiting = set(), [root]
  while waiting:
    ref = waiting.pop()
    if ref not in reached:
      reached.add(ref)
      waiting += wants[ref]
  assert reached == {root, *(component["bom-ref"] for component in document["components"])}


def test_licences_are_those_of_the_installed_version_alone(tmp_path):
  version = importlib.metadata.version("click")
  for name, locked in (("a", version), ("b", "0.0.1")):
    (tmp_path / f"{name}.txt").write_text(
      f"click=={locked} \\\n    --hash=sha256:{'a' * 64}\n    # via dlpipe (setup.py)\n"
    )
  written = _write(tmp_path / "sbom", "--folder", str(tmp_path))
  (installed,), (other,) = (json.loads(written[f"{n}.cdx.json"])["components"] for n in "ab")
  assert installed["licenses"] == [{"expression": "BSD-3-Clause"}]
  assert "licenses" not in other
