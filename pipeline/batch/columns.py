"""The columns of the output: what was kept of the input, what the model says, and the error.

Arrow names their types; text formats need none. pyarrow is imported where types are asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ERROR = "error"
_OUTPUT_PREFIX, _ERROR_PREFIX = "predicted_", "prediction_"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelOutput:
  """An output of the model's signature.

  Attributes:
    name: its name there.
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
    inputs: names of what is kept of the input, the id first.
    outputs: names of the model's outputs in the file, by their names in the signature.
    error: name of the column that says why a row has no prediction.
    types: Arrow types by column; a column without one takes what its values are.
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
    """Outputs whose names a column of the input has, and what they are called instead."""
    found = {name: column for name, column in self.outputs.items() if name != column}
    return found | ({ERROR: self.error} if self.error != ERROR else {})


def make_layout(
  inputs: Sequence[str],
  outputs: Iterable[ModelOutput],
  *,
  vectors: bool,
  input_types: Mapping[str, Any],
) -> Layout:
  """Names the columns; a name that the input has is the input's.

  Args:
    inputs: what is kept of the input.
    outputs: the signature's outputs.
    vectors: whether outputs with several values a row are columns, too.
    input_types: Arrow types of the kept columns, as far as they are known.
  """
  import pyarrow as pa

  taken = {*inputs}
  types = dict(input_types)
  names: dict[str, str] = {}
  for output in outputs:
    if output.is_vector and not vectors:
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
