"""The only place that opens Parquet files; `make lint` refuses pyarrow's readers elsewhere.

A Python pickle defines the column type `arrow.py_extension_type`, and pyarrow before 14.0.1 runs
the pickle when it opens the file (CVE-2023-47248). `pyarrow_hotfix` removes the type; it does
nothing if pyarrow no longer has it.
"""

from __future__ import annotations

from typing import Any

from dlpipe.errors import BadInputError

_PICKLED_TYPE = "arrow.py_extension_type"


def open_parquet(file: str) -> Any:
  """Opens a file as `pyarrow.parquet.ParquetFile`, a context manager; runs no code in the file.

  Raises:
    BadInputError: the file is not Parquet, or a column's type is a pickled Python object.
  """
  import pyarrow as pa
  import pyarrow_hotfix
  from pyarrow import parquet

  pyarrow_hotfix.install()
  try:
    return parquet.ParquetFile(file)
  except (OSError, pa.ArrowException) as err:
    raise BadInputError(f"Expected a Parquet file at {file!r}. Received: {err}") from err
  except RuntimeError as err:
    if _PICKLED_TYPE not in str(err):
      raise
    raise BadInputError(
      f"{file!r} has a column of type {_PICKLED_TYPE!r}, which is a pickled Python object: to read "
      "it would run code out of the file (CVE-2023-47248). Write the file anew without this type, "
      "such as by casting the column to its storage type."
    ) from err
