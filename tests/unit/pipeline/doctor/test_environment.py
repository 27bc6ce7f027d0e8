"""Each check of the environment, on made-up facts."""

import dataclasses
import subprocess
import sys

import pytest

from pipeline.doctor.environment import GIB, judge
from pipeline.doctor.environment_facts import Facts, _available_memory, gather, parse_pins

FINE = Facts(
  python=(3, 10, 13),
  platform="Linux x86_64",
  glibc=(2, 36),
  installed={"tfx": "1.16.0", "click": "8.1.7", "setuptools": "81.0.0", "tensorflow": "2.16.2"},
  requirements=(
    "tfx==1.16.*; python_version < '3.11'",
    "tfx==1.21.*; python_version >= '3.11'",
    "click>=8.1",
    "pytest>=8; extra == 'test'",
  ),
  lock={"tfx": "1.16.0", "click": "8.1.7", "ruff": "0.17.6"},
  pinned=frozenset({"tfx"}),
  has_pkg_resources=True,
  memory=8 * GIB,
  disk=50 * GIB,
  workspace="workspace",
  has_gpu=False,
  writes_bytecode=True,
  uncompiled=(),
)


def finding(name, **changes):
  found = [f for f in judge(dataclasses.replace(FINE, **changes)) if f.name == name]
  assert len(found) == 1
  return found[0]


def test_a_fine_environment_has_nothing_to_mend():
  assert {(f.state, f.remedy) for f in judge(FINE)} == {("ok", "")}


@pytest.mark.parametrize(
  ("python", "state", "words"),
  [
    ((3, 9, 18), "broken", "3.9.18; expected 3.13, 3.12, 3.11 or 3.10"),
    ((3, 10, 13), "ok", "3.10.13, which goes with TFX 1.16; past its end of life, and kept"),
    ((3, 11, 7), "ok", "3.11.7, which goes with TFX 1.21"),
    ((3, 12, 1), "ok", "3.12.1, which goes with TFX 1.21"),
    ((3, 13, 5), "ok", "3.13.5, which goes with TFX 1.21"),
    ((3, 14, 0), "broken", "3.14.0; expected 3.13, 3.12, 3.11 or 3.10"),
  ],
)
def test_python_decides_the_world(python, state, words):
  answer = finding("Python", python=python)
  assert answer.state == state
  assert answer.found.startswith(words)


@pytest.mark.parametrize(
  ("python", "platform", "glibc", "state"),
  [
    ((3, 10, 13), "Linux x86_64", (2, 36), "ok"),
    ((3, 10, 13), "Linux x86_64", (2, 27), "broken"),
    ((3, 11, 7), "Linux x86_64", (2, 38), "broken"),
    ((3, 11, 7), "Linux x86_64", (2, 39), "ok"),
    ((3, 13, 5), "Linux x86_64", (2, 36), "broken"),
    ((3, 13, 5), "Linux x86_64", (2, 41), "ok"),
    ((3, 11, 7), "Linux x86_64", (2, 100), "ok"),
    ((3, 10, 13), "Linux x86_64", None, "broken"),
    ((3, 10, 13), "Linux aarch64", (2, 36), "broken"),
    ((3, 13, 5), "Linux aarch64", (2, 41), "broken"),
    ((3, 10, 13), "Darwin arm64", None, "broken"),
    ((3, 13, 5), "Darwin arm64", None, "warning"),
    ((3, 13, 5), "Darwin x86_64", None, "broken"),
  ],
)
def test_platform(python, platform, glibc, state):
  assert finding("platform", python=python, platform=platform, glibc=glibc).state == state


def test_requirements_of_the_other_world_and_of_extras_do_not_count():
  assert finding("requirements").found == "all 2 met"
  answer = finding("requirements", python=(3, 11, 7))
  assert answer.state == "broken"
  assert answer.found == "1 of 2 not met: tfx==1.21.* (1.16.0)"
  assert answer.remedy == "make install"


def test_missing_and_old_requirements_are_named():
  answer = finding("requirements", installed={"tfx": "1.16.0"})
  assert answer.found == "1 of 2 not met: click>=8.1 (missing)"
  answer = finding("requirements", installed={"tfx": "1.16.0", "click": "7.0"})
  assert answer.found == "1 of 2 not met: click>=8.1 (7.0)"


def test_dlpipe_itself_must_be_installed():
  assert finding("requirements", requirements=None).state == "broken"


def test_a_version_that_was_not_tested_is_a_warning_unless_its_pin_matters():
  answer = finding("tested versions", installed={**FINE.installed, "click": "8.3.0"})
  assert (answer.state, answer.found) == (
    "warning",
    "1 not as tested: click 8.3.0 (tested 8.1.7)",
  )
  answer = finding("tested versions", installed={"tfx": "1.16.1", "click": "8.3.0"})
  assert (answer.state, answer.found) == (
    "broken",
    "1 known to matter: tfx 1.16.1 (tested 1.16.0)",
  )
  assert finding("tested versions", lock=None).state == "ok"


def test_many_differing_versions_are_counted_and_some_named():
  lock = {f"p{i}": "1" for i in range(7)}
  answer = finding("tested versions", lock=lock, installed=dict.fromkeys(lock, "2"))
  assert answer.found.startswith("7 not as tested: p0 2 (tested 1), ")
  assert answer.found.endswith("p4 2 (tested 1) and 2 more")


def test_setuptools_without_pkg_resources():
  installed = {**FINE.installed, "setuptools": "82.0.0"}
  answer = finding("pkg_resources", has_pkg_resources=False, installed=installed)
  assert answer.state == "broken"
  assert "setuptools 82.0.0" in answer.found
  assert "setuptools<82" in answer.remedy


@pytest.mark.parametrize(
  ("name", "size", "state", "found"),
  [
    ("memory", 4 * GIB, "ok", "4.0 GiB available"),
    ("memory", 4 * GIB - 1, "warning", "4.0 GiB available; expected 4 GiB"),
    ("memory", 3 * GIB, "warning", "3.0 GiB available; expected 4 GiB"),
    ("memory", 1 * GIB, "broken", "1.0 GiB available; needed 2 GiB"),
    ("memory", None, "warning", "unknown how much is available"),
    ("disk", 5 * GIB, "ok", "5.0 GiB free for workspace"),
    ("disk", 1 * GIB, "warning", "1.0 GiB free for workspace; expected 5 GiB"),
    ("disk", 0, "broken", "0.0 GiB free for workspace; needed 0.5 GiB"),
  ],
)
def test_room(name, size, state, found):
  answer = finding(name, **{name: size})
  assert (answer.state, answer.found) == (state, found)


def test_gpu_without_cuda_packages_is_a_warning_that_names_the_version():
  answer = finding("GPU", has_gpu=True)
  assert answer.state == "warning"
  assert "tensorflow[and-cuda]==2.16.2" in answer.remedy
  installed = {**FINE.installed, "nvidia-cudnn-cu12": "8.9.7.29"}
  assert finding("GPU", has_gpu=True, installed=installed).state == "ok"


def test_uncompiled_packages_matter_only_where_bytecode_is_not_kept():
  assert finding("bytecode", uncompiled=("tfx",), writes_bytecode=True).state == "ok"
  assert finding("bytecode", uncompiled=(), writes_bytecode=False).state == "ok"
  answer = finding("bytecode", uncompiled=("tensorflow", "tfx"), writes_bytecode=False)
  assert answer.state == "warning"
  assert "tensorflow, tfx" in answer.found


def test_pins_are_read_from_both_kinds_of_file():
  text = (
    "# comment\nabsl_py==1.4.0 \\\n    --hash=sha256:0d\n    # via keras==3\nTFX==1.16.0   # why\n"
  )
  assert parse_pins(text) == {"absl-py": "1.4.0", "tfx": "1.16.0"}


@pytest.mark.parametrize(
  ("limit", "used", "expected"),
  [("max", "100", 3072000), ("2000000", "500000", 1500000), ("99999999999", "0", 3072000)],
)
def test_a_containers_limit_counts(tmp_path, limit, used, expected):
  (tmp_path / "proc").mkdir()
  (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:   3000 kB\n")
  (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
  (tmp_path / "sys/fs/cgroup/memory.max").write_text(f"{limit}\n")
  (tmp_path / "sys/fs/cgroup/memory.current").write_text(f"{used}\n")
  assert _available_memory(tmp_path) == expected


def test_memory_is_unknown_without_proc(tmp_path):
  assert _available_memory(tmp_path) is None


def test_gather_sees_this_process(tmp_path):
  facts = gather(str(tmp_path / "not" / "there"))
  assert facts.python == sys.version_info[:3]
  assert facts.installed["pytest"] == pytest.__version__
  assert facts.disk > 0
  assert facts.lock["tfx"] == facts.installed["tfx"]
  assert "tfx" in facts.pinned


def test_nothing_heavy_is_imported():
  code = (
    "import sys; from pipeline.doctor.environment import judge; "
    "from pipeline.doctor.environment_facts import gather; judge(gather('.')); "
    "print(sorted({m.split('.')[0] for m in sys.modules} & "
    "{'tensorflow', 'tfx', 'apache_beam', 'keras', 'numpy', 'pandas'}))"
  )
  run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert run.stdout.strip() == "[]"
