"""Filters rows by a condition such as `label == 'cat' and score > 0.9`, without running code.

The condition is parsed with `ast` and computed column by column. It may hold comparisons of a
column with a literal or another column, `in`, `and`, `or`, `not`, and a column of truth values.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlpipe.errors import BadInputError

_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
  ast.Eq: pc.equal,
  ast.NotEq: pc.not_equal,
  ast.Lt: pc.less,
  ast.LtE: pc.less_equal,
  ast.Gt: pc.greater,
  ast.GtE: pc.greater_equal,
}
_JOINED = {ast.And: pc.and_kleene, ast.Or: pc.or_kleene}
_EXAMPLE = "label == 'cat' and score > 0.9"
_MAX_CHARACTERS = 10_000
_KINDS = {str: "text", bool: "truth value", int: "number", float: "number"}


def matching(table: pa.Table, where: str) -> pa.Table:
  """Returns the rows for which a condition holds; a missing value fulfils none but `is None`.

  Args:
    table: the rows.
    where: the condition.

  Raises:
    BadInputError: the condition cannot be parsed, names no column, or compares what cannot be
      compared; the message names the columns.
  """
  try:
    if len(where) > _MAX_CHARACTERS:
      raise BadInputError(f"it has more than {_MAX_CHARACTERS:,} characters")
    tree = ast.parse(where.strip(), mode="eval").body
    mask = _condition(table, tree)
  except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as err:
    raise _refused(table, where, f"it cannot be parsed: {err}") from err
  except BadInputError as err:
    raise _refused(table, where, str(err)) from None
  return table.filter(pc.fill_null(mask, False))


def column_named(names: Sequence[str], name: str) -> str:
  """Returns the name if it is a column's.

  Raises:
    BadInputError: it is none; the message may suggest one.
  """
  if name in names:
    return name
  close = difflib.get_close_matches(name, names, n=1)
  hint = f". Did you mean {close[0]!r}?" if close else ""
  raise BadInputError(f"there is no column {name!r}{hint}")


def _refused(table: pa.Table, where: str, why: str) -> BadInputError:
  return BadInputError(
    f"Expected a condition such as {_EXAMPLE!r}. Received {where!r}: {why}"
    f"{'' if why.endswith('?') else '.'} Columns: {', '.join(table.column_names)}."
  )


def _condition(table: pa.Table, node: ast.expr) -> Any:
  """Returns a boolean array, a value for each row; null where an operand is missing."""
  if isinstance(node, ast.BoolOp):
    first, *others = (_condition(table, each) for each in node.values)
    for other in others:
      first = _JOINED[type(node.op)](first, other)
    return first
  if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
    return pc.invert(_condition(table, node.operand))
  if isinstance(node, ast.Compare):
    operands = [node.left, *node.comparators]
    found = [
      _compared(table, left, op, right)
      for left, op, right in zip(operands, node.ops, operands[1:], strict=False)
    ]
    for other in found[1:]:
      found[0] = pc.and_kleene(found[0], other)
    return found[0]
  if isinstance(node, ast.Name):
    column = _column(table, node.id)
    if pa.types.is_boolean(column.type):
      return column
    raise BadInputError(f"{node.id!r} is no truth value, so compare it with something")
  raise BadInputError(f"{ast.unparse(node)!r} is not allowed in it")


def _compared(table: pa.Table, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
  if isinstance(op, (ast.In, ast.NotIn)):
    found = _contained(table, left, right)
    return pc.invert(found) if isinstance(op, ast.NotIn) else found
  if isinstance(op, (ast.Is, ast.IsNot)) or _is_none(left) or _is_none(right):
    return _missing(table, left, op, right)
  a, b = _operand(table, left), _operand(table, right)
  if not isinstance(a, pa.ChunkedArray) and not isinstance(b, pa.ChunkedArray):
    raise BadInputError(f"{ast.unparse(left)} and {ast.unparse(right)} are no columns")
  kinds = [_kind(each) for each in (a, b)]
  if kinds[0] != kinds[1]:
    raise BadInputError(
      f"{ast.unparse(left)} is a {kinds[0]} and {ast.unparse(right)} a {kinds[1]}"
    )
  return _COMPARED[type(op)](_as_kept(a, b), _as_kept(b, a))


def _as_kept(value: Any, other: Any) -> Any:
  """Returns a literal as the column that it is compared with keeps it: 0.9 is no float32."""
  if isinstance(value, float) and pa.types.is_float32(other.type):
    return pa.scalar(value, pa.float32())
  return value


def _missing(table: pa.Table, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
  if not (isinstance(left, ast.Name) and _is_none(right)) or not isinstance(
    op, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)
  ):
    raise BadInputError("`is` compares a column with None, as in `row is None`")
  found = _column(table, left.id).is_null()
  return pc.invert(found) if isinstance(op, (ast.IsNot, ast.NotEq)) else found


def _contained(table: pa.Table, left: ast.expr, right: ast.expr) -> Any:
  """Returns whether a column is one of some literals, or a literal is in its text or list."""
  if isinstance(right, ast.Name):
    column, part = _column(table, right.id), _literal(left)
    if column.type == pa.list_(pa.string()) and isinstance(part, str):
      held = [None if each is None else part in each for each in column.to_pylist()]
      return pa.chunked_array([pa.array(held, pa.bool_())])
    if _kind(column) != "text" or not isinstance(part, str):
      raise BadInputError("`in` before a column takes a text, as in `'abc' in input`")
    return pc.match_substring(column, part)
  if not isinstance(right, (ast.List, ast.Tuple, ast.Set)) or not isinstance(left, ast.Name):
    raise BadInputError("`in` takes a column and a list, as in `label in ['cat', 'dog']`")
  column = _column(table, left.id)
  values = [_literal(each) for each in right.elts]
  strangers = [value for value in values if _kind(value) != _kind(column)]
  if strangers:
    raise BadInputError(f"{left.id} is a {_kind(column)} and {strangers[0]!r} is not")
  mask = pa.chunked_array([pa.array([False] * table.num_rows, pa.bool_())])
  for value in values:
    mask = pc.or_kleene(mask, pc.equal(column, _as_kept(value, column)))
  return mask


def _operand(table: pa.Table, node: ast.expr) -> Any:
  return _column(table, node.id) if isinstance(node, ast.Name) else _literal(node)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
  return table[column_named(table.column_names, name)]


def _literal(node: ast.expr) -> Any:
  try:
    value = ast.literal_eval(node)
  except (ValueError, TypeError, SyntaxError):
    raise BadInputError(f"{ast.unparse(node)!r} is not allowed in it") from None
  if type(value) not in _KINDS:
    raise BadInputError(f"{ast.unparse(node)!r} is no text, number or truth value")
  if isinstance(value, int) and not -(2**63) <= value < 2**63:
    return float(value)
  if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
    raise BadInputError(f"{ast.unparse(node)} holds half a character")
  return value


def _is_none(node: ast.expr) -> bool:
  return isinstance(node, ast.Constant) and node.value is None


def _kind(value: Any) -> str:
  if not isinstance(value, pa.ChunkedArray):
    return _KINDS[type(value)]
  if pa.types.is_boolean(value.type):
    return "truth value"
  if pa.types.is_string(value.type):
    return "text"
  if pa.types.is_integer(value.type) or pa.types.is_floating(value.type):
    return "number"
  raise BadInputError("a column of lists cannot be compared")
