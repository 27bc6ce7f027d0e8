"""The table of worlds, and that setup.py, the locks and the pages say the same."""

import datetime
import pathlib
import re
import runpy
import subprocess

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pipeline.doctor.worlds import CONSTRAINTS, dotted, find_world, worlds

_ROOT = pathlib.Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def setup():
  """The keyword arguments that setup.py gives to setuptools."""
  given = {}
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(setuptools, "setup", given.update)
    patch.chdir(_ROOT)
    runpy.run_path("setup.py")
  return given


def test_the_newest_comes_first():
  pythons = [world.python for world in worlds()]
  assert pythons == sorted(pythons, reverse=True)
  assert len(set(pythons)) == len(pythons)


@pytest.mark.parametrize(
  ("python", "tfx"),
  [((3, 10, 13), "1.16"), ((3, 11, 7), "1.21"), ((3, 13), "1.21"), ((3, 9, 18), None)],
)
def test_a_python_has_its_tfx(python, tfx):
  world = find_world(python)
  assert (world and world.tfx) == tfx


def test_setup_takes_exactly_these_pythons(setup):
  allowed = SpecifierSet(setup["python_requires"])
  minors = [f"3.{minor}" for minor in range(6, 20)]
  assert [minor for minor in minors if allowed.contains(minor)] == [
    dotted(world.python) for world in reversed(worlds())
  ]


@pytest.mark.parametrize("world", worlds(), ids=lambda world: dotted(world.python))
def test_setup_asks_for_the_tfx_of_each_python(setup, world):
  wanted = [
    requirement
    for requirement in map(Requirement, setup["install_requires"])
    if requirement.name == "tfx"
    and requirement.marker.evaluate({"python_version": dotted(world.python)})
  ]
  assert [str(requirement.specifier) for requirement in wanted] == [f"=={world.tfx}.*"]


@pytest.mark.parametrize("world", worlds(), ids=lambda world: dotted(world.python))
def test_each_has_a_lock_under_its_pins(world):
  lock = (CONSTRAINTS / f"{world.lock}.txt").read_text()
  pins = (CONSTRAINTS / f"{world.pins}.in").read_text()
  for name, version in re.findall(r"^([\w-]+)==(\S+)", pins, re.MULTILINE):
    assert f"\n{name}=={version} \\\n" in lock


def test_there_is_no_lock_beside_them():
  locks = {path.stem for path in CONSTRAINTS.glob("py*.txt")}
  assert locks == {world.lock for world in worlds()}
  assert {path.stem for path in CONSTRAINTS.glob("tfx*.in")} == {world.pins for world in worlds()}


def test_only_the_oldest_goes_and_its_day_is_a_date():
  days = [world.kept_until for world in worlds()]
  assert days[:-1] == [""] * (len(days) - 1)
  datetime.date.fromisoformat(days[-1])
  for page in ("README.md", "docs/install.md", "docs/decisions/0038-every-python.md"):
    assert days[-1] in (_ROOT / page).read_text(), page


@pytest.mark.parametrize("python", [*map(dotted, (w.python for w in worlds())), "3.9", "3.14"])
def test_the_scripts_read_the_same_table(python):
  command = '. scripts/worlds.sh; row=$(find_world "$0") && set -- $row && name_lock "$1" "$2"'
  line = subprocess.run(
    ["sh", "-c", command, python],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  world = find_world(tuple(map(int, python.split("."))))
  assert line.stdout.strip() == (world.lock if world else ""), line.stderr
