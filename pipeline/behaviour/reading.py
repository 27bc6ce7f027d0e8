"""Reads a `behaviour.yaml`; refuses a wrong one with file, line and what is expected.

Called before a run reads its data, and imports no framework.
"""

from __future__ import annotations

import base64
import difflib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic
import yaml

from dlpipe.errors import BadInputError
from pipeline.behaviour.suite import KINDS, REFUSED, Minimum, MinimumCase, Suite, Test
from pipeline.settings.config import PipelineConfig
from pipeline.settings.reading import YAML_ERRORS, Loader, explain, shown
from pipeline.task import Task
from pipeline.tasks import behaviour_path

NOTHING = "none"  # of `gates.behaviour`: no test at all
_MOST_FAULTS = 5
# All files of a suite together. They travel in the compiled pipeline, as the suite does.
_MOST_BYTES = 65_536

Place = tuple[str | int, ...]


def suite_of(task: Task, config: PipelineConfig) -> Suite:
  """Returns the tests of a run: the task's own, or those that `gates.behaviour` names.

  Raises:
    BadInputError: a file cannot be read, or holds what no test of this task can be.
  """
  own = behaviour_path(task.name)
  said = config.gates.behaviour
  if said == NOTHING:
    return Suite()
  if said is None:
    return _of_task(own, task) if own is not None else Suite()
  suite = read_suite(pathlib.Path(said).expanduser(), task)
  if suite.extends is None:
    return suite
  if own is None:
    raise BadInputError(
      f"{said}: it extends the tests of the task {task.name}, which has no behaviour.yaml. Leave "
      "`extends` out."
    )
  names = {test.name for test in suite.tests}
  kept = [test for test in _of_task(own, task).tests if test.name not in names]
  return suite.model_copy(update={"tests": (*kept, *suite.tests)})


def _of_task(path: pathlib.Path, task: Task) -> Suite:
  suite = read_suite(path, task)
  if suite.extends is not None:
    raise BadInputError(f"{path}: this is the task's own file; it has nothing to extend.")
  return suite


def read_suite(path: pathlib.Path, task: Task) -> Suite:
  """Reads a file and checks that each of its tests can be carried out for a task.

  Raises:
    BadInputError: it cannot; the message names file, line and what is expected.
  """
  document = _Document.read(path)
  content = document.content
  try:
    given = Suite(**{**content, "tests": ()})
  except pydantic.ValidationError as err:
    raise document.refusal(err, (), Suite) from err
  listed = content.get("tests")
  if not isinstance(listed, list):
    raise document.fault(("tests",), "tests must be a list of tests")
  tests = tuple(_test(document, number, each) for number, each in enumerate(listed))
  names = [test.name for test in tests]
  answers = _answers(task)
  for number, test in enumerate(tests):
    if names.index(test.name) != number:
      raise document.fault(("tests", number, "name"), f"a test is called {test.name!r} already")
    for fault in test.faults(kind=task.input.kind, answers=answers):
      raise document.fault(
        ("tests", number), f"test {test.name!r} is not for the task {task.name}: {fault}"
      )
  room = _MOST_BYTES
  read: list[Test] = []
  for number, test in enumerate(tests):
    if isinstance(test, Minimum):
      cases = []
      for place, case in enumerate(test.cases):
        case, used = _with_content(case, document, ("tests", number, "cases", place), room)
        room -= used
        cases.append(case)
      test = test.model_copy(update={"cases": tuple(cases)})
    read.append(test)
  return given.model_copy(update={"tests": tuple(read)})


def _answers(task: Task) -> str:
  """Returns the kind of a task's answers: `classes`, `number` or `text`."""
  if task.problem.has_classes:
    return "classes"
  return "text" if task.problem.compares_raw_label else "number"


def _test(document: _Document, number: int, given: object) -> Test:
  place = ("tests", number)
  if not isinstance(given, dict):
    raise document.fault(place, "each test must be a mapping with name, kind, at_most and reason")
  kind = given.get("kind")
  if not isinstance(kind, str) or kind not in KINDS:
    close = difflib.get_close_matches(kind, KINDS, n=1) if isinstance(kind, str) else []
    hint = f" Did you mean {close[0]}?" if close else ""
    raise document.fault(
      (*place, "kind"), f"kind must be one of {', '.join(KINDS)}.{hint} Received: {shown(kind)}"
    )
  try:
    return KINDS[kind](**given)
  except (pydantic.ValidationError, TypeError) as err:
    if isinstance(err, TypeError):  # a name that is no text
      raise document.fault(place, "the names of a test must be texts") from err
    raise document.refusal(err, place, KINDS[kind]) from err


def _with_content(
  case: MinimumCase, document: _Document, place: Place, room: int
) -> tuple[MinimumCase, int]:
  """Returns a case with the content of its file, and how many bytes that has."""
  if case.content is not None:
    raise document.fault((*place, "content"), "content: there is no such name")
  if case.colour is not None:
    from PIL import ImageColor

    try:
      ImageColor.getrgb(case.colour)
    except ValueError as err:
      raise document.fault(
        (*place, "colour"), f"colour must be a colour, such as red or '#ff0000': {err}"
      ) from err
  if case.file is None:
    return case, 0
  try:
    data = (document.path.parent / case.file).read_bytes()
  except (OSError, ValueError) as err:  # ValueError for a NUL
    reason = getattr(err, "strerror", None) or err
    raise document.fault((*place, "file"), f"cannot read {case.file!r}: {reason}") from err
  if len(data) > room:
    raise document.fault(
      (*place, "file"),
      f"the files of all cases may have {_MOST_BYTES:,} bytes together. Use smaller pictures",
    )
  return case.model_copy(update={"content": base64.b64encode(data).decode()}), len(data)


class _Document:
  """A YAML file: its content, and the line on which each value of it stands."""

  def __init__(self, path: pathlib.Path, content: dict[str, Any], root: yaml.Node | None):
    self.path = path
    self.content = content
    self._root = root

  @classmethod
  def read(cls, path: pathlib.Path) -> _Document:
    try:
      text = path.read_text(encoding="utf-8")
    except OSError as err:
      raise BadInputError(f"Cannot read {str(path)!r} (gates.behaviour): {err.strerror}.") from err
    except UnicodeDecodeError as err:
      raise BadInputError(f"{path} is no UTF-8 text: byte {err.start} is invalid.") from err
    loader = Loader(text)
    try:
      root = loader.get_single_node()
      content = loader.construct_document(root) if root is not None else None
    except YAML_ERRORS as err:
      mark = getattr(err, "problem_mark", None)
      line = f", line {mark.line + 1}" if mark else ""
      problem = getattr(err, "problem", None) or err
      raise BadInputError(f"{path}{line}: this is no YAML: {problem}") from err
    finally:
      loader.dispose()
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
      raise BadInputError(f"{path}, line 1: expected a mapping with `tests: [...]`.")
    return cls(path, content, root)

  def fault(self, place: Sequence[str | int], what: str) -> BadInputError:
    """Returns the error for a value."""
    shown = os.path.relpath(self.path)
    path = str(self.path) if shown.startswith(os.pardir) else shown
    return BadInputError(f"{path}, line {self._line(place)}: {what}.")

  def refusal(
    self, err: pydantic.ValidationError, place: Place, model: type[pydantic.BaseModel]
  ) -> BadInputError:
    """Returns the error for values that a model of settings refuses."""
    said = []
    faults = [error for error in err.errors() if not _is_echo(error)]
    for error in faults[:_MOST_FAULTS]:
      inner = error["loc"]
      what = _in_words(error)
      if error["type"] == "extra_forbidden":
        what += _nearest(str(inner[-1]), model) if len(inner) == 1 else ""
      said.append(str(self.fault((*place, *inner), what)))
    return BadInputError("\n".join(said))

  def _line(self, place: Sequence[str | int]) -> int:
    """Returns the line of a value; of what holds it where it is missing."""
    node: yaml.Node | None = self._root
    line = 1
    for part in place:
      if isinstance(node, yaml.MappingNode):
        found = [(key, value) for key, value in node.value if key.value == part]
      elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        found = [(each, each) for each in node.value[part : part + 1]]
      else:
        found = []
      if not found:
        break
      [(key, node)] = found
      line = key.start_mark.line + 1
    return line


def _is_echo(error: Any) -> bool:
  """Returns whether a list is called too short because of the faults of its items, told already."""
  return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _in_words(error: Any) -> str:
  """Returns what is wrong with a value, and what it is."""
  where = ".".join(str(part) for part in error["loc"])
  if error["type"] == REFUSED:
    received = f". Received: {shown(error['input'])}" if where else ""
    return f"{where} {error['msg']}{received}".strip()
  if error["type"] == "string_pattern_mismatch":
    return (
      f"{where} must have at most 60 letters, digits, spaces, points and dashes. Received: "
      f"{shown(error['input'])}"
    )
  return explain(error)


def _nearest(name: str, model: type[pydantic.BaseModel]) -> str:
  names: Mapping[str, Any] = model.model_fields
  close = difflib.get_close_matches(name, names, n=1)
  return f". Did you mean {close[0]}?" if close else f". Names: {', '.join(names)}"
