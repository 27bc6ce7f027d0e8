"""Parquet files that carry code (CVE-2023-47248): it does not run, and the file is refused.

Every command has a process of its own: Beam imports the same guard, and would hide a missing one.
"""

import pathlib
import pickle
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

_ROOT = pathlib.Path(__file__).resolve().parents[5]


class _LeavesMarker:
  """Unpickled, it creates an empty file."""

  def __init__(self, path):
    self._path = path

  def __reduce__(self):
    return open, (str(self._path), "w")


def _column(marker, type_):
  return pa.field(
    "extra",
    type_,
    metadata={
      "ARROW:extension:name": "arrow.py_extension_type",
      "ARROW:extension:metadata": pickle.dumps(_LeavesMarker(marker)),
    },
  )


@pytest.fixture(params=["plain", "nested"])
def file(request, tmp_path):
  """A table of reviews with one column more, whose type's definition leaves a file `marker`."""
  column = _column(tmp_path / "marker", pa.int64())
  extra = pa.array(range(6))
  if request.param == "nested":
    column = pa.field("extra", pa.struct([column]))
    extra = pa.array([{"extra": n} for n in range(6)], column.type)
  schema = pa.schema([("text", pa.string()), ("path", pa.string()), ("label", pa.string()), column])
  texts = [f"review {n}" for n in range(6)]
  arrays = [pa.array(texts), pa.array(texts), pa.array(["good", "bad"] * 3), extra]
  path = tmp_path / "data.parquet"
  parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
  return path


@pytest.mark.parametrize(
  "arguments",
  [
    ("check", "sentiment", "--data"),
    ("run", "sentiment", "--tiny", "--data"),
    ("batch", "images", "--output", "out.csv", "--input"),
  ],
  ids=lambda arguments: arguments[0],
)
def test_a_command_refuses_the_file_and_runs_nothing(command, tmp_path, file, arguments):
  (tmp_path / "workspace" / "images" / "serving" / "1").mkdir(parents=True)
  done = command(*arguments, str(file))
  assert not (tmp_path / "marker").exists()
  assert done.code == 2
  assert done.stderr.startswith(
    f"Error: {str(file)!r} has a column of type 'arrow.py_extension_type', which is a pickled"
  )
  assert "Traceback" not in done.stderr
  assert "pickle disassembly" not in done.stderr


@pytest.mark.parametrize(
  "reader",
  [
    "from pyarrow import parquet\nparquet.read_table('x')",
    "import pyarrow.parquet as pq\npq.ParquetFile('x')",
    "import pyarrow as pa\npa.ipc.open_file('x')",
    "import pyarrow as pa\npa.parquet.read_schema('x')",
    "from pyarrow import dataset",
    "from pyarrow.feather import read_table",
    "import pandas as pd\npd.read_parquet('x')",
  ],
)
def test_lint_refuses_a_reader_elsewhere(reader):
  done = subprocess.run(
    [sys.executable, "-m", "ruff", "check", "--stdin-filename", "pipeline/sources/other.py", "-"],
    input=reader,
    cwd=_ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert "TID251" in done.stdout


def test_lint_lets_the_one_opener_be():
  done = subprocess.run(
    [sys.executable, "-m", "ruff", "check", "pipeline/sources/tables/parquet_files.py"],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stdout
