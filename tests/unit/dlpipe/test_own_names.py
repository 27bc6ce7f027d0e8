"""Our names are ours in this environment, whatever else on the path bears them."""

import importlib
import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from dlpipe import own_names

ROOT = pathlib.Path(__file__).resolve().parents[3]
# How each name may be taken, and what a user has besides.
FILES = [
  *(f"{name}.py" for name in ("pipeline", "dlpipe")),
  *(
    f"{name}/__init__.py" for name in ("components", "data", "dlpipe_client", "schemas", "serving")
  ),
]


@pytest.fixture
def theirs(tmp_path):
  """A user's folder, in which every name of ours is taken."""
  for name in FILES:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise RuntimeError('a module of the user')\n")
  (tmp_path / "mine.py").write_text("WHAT = 'mine'\n")
  return tmp_path


@pytest.fixture
def environment():
  return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def python(*arguments, cwd, env):
  done = subprocess.run(
    [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


def test_every_package_of_ours_is_a_name_of_ours():
  installed = importlib.metadata.distribution("dlpipe").read_text("top_level.txt").split()
  assert set(installed) == own_names.NAMES


@pytest.mark.parametrize("path", [None, ".", os.pathsep])
def test_an_interpreter_of_the_environment_finds_ours_and_theirs(theirs, environment, path):
  if path is not None:
    environment["PYTHONPATH"] = path
  code = (
    f"import importlib, mine\nprint(mine.WHAT)\nfor name in {sorted(own_names.NAMES)}:\n"
    "  print(importlib.import_module(name).__file__)"
  )
  what, *places = python("-c", code, cwd=theirs, env=environment).split()
  assert what == "mine"
  assert [pathlib.Path(place).is_relative_to(ROOT) for place in places] == [True] * 7


@pytest.mark.parametrize("module", ["dlpipe", "serving", "pipeline.cli.main"])
def test_a_module_is_run_from_such_a_folder(theirs, environment, module):
  environment["PYTHONPATH"] = "."
  assert python("-m", module, "--help", cwd=theirs, env=environment)


def test_what_a_process_forks_and_spawns_finds_ours(theirs, environment):
  (theirs / "work.py").write_text(
    "import multiprocessing\n"
    "def where(_):\n  import data\n  return data.__file__\n"
    "if __name__ == '__main__':\n"
    "  for method in ('fork', 'spawn', 'forkserver'):\n"
    "    with multiprocessing.get_context(method).Pool(1) as pool:\n"
    "      print(*pool.map(where, [0]))\n"
  )
  environment["PYTHONPATH"] = "."
  found = python("work.py", cwd=theirs, env=environment)
  assert found.split() == [str(ROOT / "data" / "__init__.py")] * 3


def test_another_checkout_on_the_path_is_the_application(tmp_path, environment):
  (tmp_path / "dlpipe").mkdir()
  (tmp_path / "dlpipe" / "own_names.py").touch()
  (tmp_path / "data").mkdir()
  (tmp_path / "data" / "__init__.py").touch()
  (tmp_path / "serving" / "client" / "dlpipe_client").mkdir(parents=True)
  (tmp_path / "serving" / "client" / "dlpipe_client" / "__init__.py").touch()
  environment["PYTHONPATH"] = str(tmp_path)
  code = "import data, dlpipe_client; print(data.__file__, dlpipe_client.__file__)"
  for place in python("-c", code, cwd="/", env=environment).split():
    assert pathlib.Path(place).is_relative_to(tmp_path)


def test_what_is_installed_is_the_module_as_it_stands():
  installed = importlib.util.find_spec("_dlpipe_own_names")
  assert installed is not None, "Run `make install`: this environment was made by older sources."
  there = pathlib.Path(installed.origin)
  assert there.read_bytes() == (ROOT / "dlpipe" / "own_names.py").read_bytes(), (
    "Run `make install`."
  )


@pytest.fixture(scope="module")
def wheel_environment(tmp_path_factory):
  """The Python of an environment that has the wheel and nothing that it requires."""
  folder = tmp_path_factory.mktemp("wheel")
  ignored = shutil.ignore_patterns("__pycache__", "downloads", "build", "*.egg-info")
  for name in (*(own_names.NAMES - {"dlpipe_client"}), "setup.py", "pyproject.toml"):
    copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
    copy(ROOT / name, folder / name, **({"ignore": ignored} if copy is shutil.copytree else {}))
  code = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
  python("-c", code, cwd=folder, env=os.environ)
  subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
  [packages] = folder.glob("venv/lib/python3.*/site-packages")
  [wheel] = (folder / "dist").glob("*.whl")
  with zipfile.ZipFile(wheel) as archive:
    archive.extractall(packages)
  return folder / "venv" / "bin" / "python"


def test_a_wheel_brings_it_too(wheel_environment, theirs, environment):
  environment["PYTHONPATH"] = "."
  code = f"from importlib.util import find_spec\nfor name in {sorted(own_names.NAMES)}:\n"
  code += "  print(find_spec(name).origin)"
  found = subprocess.run(
    [wheel_environment, "-c", code], cwd=theirs, env=environment, capture_output=True, text=True
  )
  assert found.returncode == 0, found.stderr
  for place in found.stdout.split():
    assert pathlib.Path(place).is_relative_to(wheel_environment.parents[1])


def test_it_is_put_in_once(monkeypatch):
  monkeypatch.setattr(sys, "meta_path", [])
  for _ in range(2):
    own_names.install("/anywhere")
  [finder] = sys.meta_path
  assert finder.find_spec("numpy") is None
  assert finder.find_spec("pipeline.task") is None


@pytest.mark.parametrize(
  ("imported", "error", "hidden"),
  [
    ("data.loaders", "ModuleNotFoundError: No module named 'data.loaders'", "data/loaders.py"),
    ("serving.mine", "ModuleNotFoundError: No module named 'serving.mine'", "serving/mine"),
  ],
)
def test_what_a_name_of_ours_hides_is_said(theirs, monkeypatch, imported, error, hidden):
  (theirs / "data" / "loaders.py").touch()
  (theirs / "serving" / "mine").mkdir()
  (theirs / "serving" / "mine" / "model.py").touch()
  monkeypatch.setattr(sys, "path", [str(theirs), *sys.path])
  with pytest.raises(ImportError) as caught:
    importlib.import_module(imported)
  name = imported.partition(".")[0]
  assert own_names.explain(caught.value) == (
    f"{error}. `{name}` is a package of dlpipe, which hides yours ({theirs / hidden}): give yours "
    "another name."
  )


def test_a_name_that_is_not_in_ours_is_said(theirs, monkeypatch):
  monkeypatch.setattr(sys, "path", [str(theirs), *sys.path])
  with pytest.raises(ImportError) as caught:
    from pipeline import steps  # noqa: F401
  assert f"which hides yours ({theirs / 'pipeline.py'})" in own_names.explain(caught.value)


@pytest.mark.parametrize("imported", ["data.nowhere", "numpy.nowhere", "mine.nowhere", "data.cats"])
def test_an_import_that_fails_by_itself_is_not_laid_on_a_name(theirs, monkeypatch, imported):
  (theirs / "data" / "cats").mkdir()  # pictures
  monkeypatch.setattr(sys, "path", [str(theirs), *sys.path])
  with pytest.raises(ImportError) as caught:
    importlib.import_module(imported)
  assert own_names.explain(caught.value) is None
