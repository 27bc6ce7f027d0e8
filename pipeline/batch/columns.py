"""Names the columns of the output: kept input columns, the model's outputs, and the error.

Parquet needs their Arrow types, text formats do not. pyarrow is imported only if types are needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.problems.certainty.record import SET

ERROR = "error"
_OUTPUT_PREFIX, _ERROR_PREFIX = "predicted_", "prediction_"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOutput:
  """An output of the model's signature.

  Attributes:
    name: name of the output in the signature.
    dtype: TensorFlow's name of its type.
    is_vector: whether a row has several values.
  """

  name: str
  dtype: str
  is_vector: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
  """The output's columns, in order.

  Attributes:
    inputs: names of the kept columns of the input, the id first.
    outputs: names of the model's outputs in the file, by their names in the signature.
    error: name of the column that says why a row has no prediction.
    types: Arrow types by column; if a column has none, its values decide.
  """

  inputs: tuple[str, ...]
  outputs: Mapping[str, str]
  error: str
  types: Mapping[str, Any]

  @property
  def names(self) -> list[str]:
    return [*self.inputs, *self.outputs.values(), self.error]

  @property
  def renamed(self) -> dict[str, str]:
    """The new names of outputs whose own names a column of the input already has."""
    found = {name: column for name, column in self.outputs.items() if name != column}
    return found | ({ERROR: self.error} if self.error != ERROR else {})


def make_layout(
  inputs: Sequence[str],
  outputs: Iterable[ModelOutput],
  *,
  vectors: bool,
  input_types: Mapping[str, Any],
) -> Layout:
  """Names the columns; if an output and an input column share a name, the output is renamed.

  Args:
    inputs: the kept columns of the input.
    outputs: the signature's outputs.
    vectors: whether to include outputs with several values per row, other than sets.
    input_types: Arrow types of the kept columns that have known types.
  """
  import pyarrow as pa

  taken = {*inputs}
  types = dict(input_types)
  names: dict[str, str] = {}
  for output in outputs:
    # A set is an answer; all scores are much more to store.
    if output.is_vector and not vectors and output.name != SET:
      continue
    name = _free(output.name, _OUTPUT_PREFIX, taken)
    names[output.name] = name
    types[name] = _arrow_type(output)
  error = _free(ERROR, _ERROR_PREFIX, taken)
  types[error] = pa.string()
  return Layout(inputs=tuple(inputs), outputs=names, error=error, types=types)


def _free(name: str, prefix: str, taken: set[str]) -> str:
  while name in taken:
    name = prefix + name
  taken.add(name)
  return name


def _arrow_type(output: ModelOutput) -> Any:
  import pyarrow as pa

  value = pa.string() if output.dtype == "string" else pa.type_for_alias(output.dtype)
  return pa.list_(value) if output.is_vector else value
