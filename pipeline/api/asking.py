"""Converts inputs to request values, and returns a model's answer or an error for every input.

Used by `dlpipe predict`, for local models and for servers, and by `dlpipe.load(...).predict`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError
from dlpipe.words import one_line
from pipeline.sources.text_files import texts
from pipeline.sources.tfrecord.op_errors import words_of
from pipeline.task import Task

_NAMED = 5
_SHOWN_CHARACTERS = 72
_BATCH = 128  # inputs that the model gets at once

# The model's outputs for one value, or its error.
Answer = dict[str, Any] | str


class Input(NamedTuple):
  """One input.

  Attributes:
    shown: the argument or line; bytes that are not text are escaped.
    value: the value to send to the model, or None.
    error: why there is no value, or None.
  """

  shown: str
  value: bytes | None
  error: str | None


def as_input(task: Task, given: Any) -> Input:
  """Converts an input to the value to send to the model, or to an error.

  Args:
    task: the task of the model.
    given: a text, or a file's path.
  """
  shown = texts.shown(given) if isinstance(given, str) else repr(given)
  try:
    return Input(shown, texts.as_bytes(task.input.value(given), "the input"), None)
  except (BadInputError, ValueError) as err:  # ValueError if a path holds a NUL
    return Input(shown, None, str(err))


def require_readable(task: Task, asked: Sequence[Input]) -> None:
  """Checks that at least one input can be sent, before the model is loaded.

  Raises:
    BadInputError: no input can be sent; the message names the first ones.
  """
  if any(each.value is not None for each in asked):
    return
  reasons = [each.error or "" for each in asked]
  if len(asked) == 1:
    raise BadInputError(reasons[0])
  raise BadInputError(_listed(f"None of {len(asked):,} inputs can be read:", task, asked, reasons))


def rows(
  task: Task, asked: Sequence[Input], ask: Callable[[list[bytes]], list[Answer]]
) -> list[dict[str, Any]]:
  """Returns a row for each input: the model's outputs by name, or its `error`.

  Args:
    task: the task of the model.
    asked: the inputs; at least one can be sent.
    ask: returns the model's answers to values.

  Raises:
    BadInputError: the model can answer no input.
  """
  answered = iter(ask([each.value for each in asked if each.value is not None]))
  answers = [next(answered) if each.value is not None else each.error or "" for each in asked]
  reasons = [answer for answer in answers if isinstance(answer, str)]
  if len(reasons) < len(answers):
    return [{"error": answer} if isinstance(answer, str) else answer for answer in answers]
  if len(asked) == 1:
    raise BadInputError(
      f"The model could not answer {shown_input(task, asked[0].shown)!r}: {reasons[0]}"
    )
  title = f"The model could answer none of {len(asked):,} inputs:"
  raise BadInputError(_listed(title, task, asked, reasons))


def answers(
  predict_values: Callable[[Sequence[Any]], dict[str, Any]],
  values: Sequence[bytes],
  refusal: type[Exception],
) -> list[Answer]:
  """Returns the model's outputs or its error for each value.

  Args:
    predict_values: returns arrays by output name. It is called in batches; if it refuses a batch,
      it is called again with smaller ones, to find the bad values.
    values: the values to send.
    refusal: the exception that `predict_values` raises for a value that it cannot read.
  """
  from pipeline.batch.values import plain_columns

  if len(values) > _BATCH:
    return [
      answer
      for start in range(0, len(values), _BATCH)
      for answer in answers(predict_values, values[start : start + _BATCH], refusal)
    ]
  try:
    found = predict_values(values)
  except refusal as err:
    if len(values) == 1:
      return [words_of(str(err))]
    # One value that the model cannot read must not affect the others.
    middle = len(values) // 2
    return [
      answer
      for some in (values[:middle], values[middle:])
      for answer in answers(predict_values, some, refusal)
    ]
  # Strings come before numbers: a translation before its score.
  names = sorted(found, key=lambda name: (found[name].dtype != object, name))
  plain = plain_columns(found, names)
  return [{name: column[i] for name, column in plain.items()} for i in range(len(values))]


def _listed(title: str, task: Task, asked: Sequence[Input], reasons: Sequence[str]) -> str:
  named = [
    f"{shown_input(task, each.shown)!r}: {reason}"
    for each, reason in zip(asked[:_NAMED], reasons, strict=False)
  ]
  more = [f"and {len(asked) - _NAMED:,} more"] if len(asked) > _NAMED else []
  return "\n  ".join([title, *named, *more])


def shown_input(task: Task, argument: str) -> str:
  """Returns the input on one line; shortens a long text, but never a path."""
  shown = one_line(argument)
  if task.input.kind == "text" and len(shown) > _SHOWN_CHARACTERS:
    return shown[: _SHOWN_CHARACTERS - 3] + "..."
  return shown
