"""Importing TensorFlow: what its libraries write is kept back, unless it is needed or asked for."""

import os
import subprocess
import sys

import pytest

_CODE = """
import os
from serving.quiet_import import quieten_tensorflow
quieten_tensorflow()
import tensorflow
os.write(2, b"after")
"""


def _import(folder, module, **environment):
  """Imports a stand-in for TensorFlow in a process of its own; the exit code and its stderr."""
  (folder / "tensorflow.py").write_text(module)
  paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
  inherited = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
  done = subprocess.run(
    [sys.executable, "-c", _CODE],
    env={**inherited, "PYTHONPATH": paths, **environment},
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )
  return done.returncode, done.stderr


_NOISE = 'import os, sys; os.write(2, b"noise of a library\\n"); sys.stderr.write("noise\\n")\n'


def test_what_the_libraries_write_is_kept_back(tmp_path):
  assert _import(tmp_path, _NOISE) == (0, "after")


def test_it_is_shown_where_the_import_fails(tmp_path):
  code, said = _import(tmp_path, _NOISE + "raise ImportError('no such library')")
  assert code == 1
  assert "noise of a library\n" in said
  assert "ImportError: no such library" in said


@pytest.mark.parametrize("level", ["0", "1"])
def test_it_is_shown_to_whom_asks_for_it(tmp_path, level):
  assert _import(tmp_path, _NOISE, TF_CPP_MIN_LOG_LEVEL=level) == (
    0,
    "noise of a library\nnoise\nafter",
  )


def test_tensorflow_itself_writes_nothing(tmp_path):
  code = (
    "from serving.quiet_import import quieten_tensorflow; quieten_tensorflow(); import tensorflow"
  )
  inherited = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
  done = subprocess.run(
    [sys.executable, "-c", code],
    env=inherited,
    capture_output=True,
    text=True,
    timeout=300,
    check=True,
  )
  assert (done.stdout, done.stderr) == ("", "")
