"""`dlpipe.load` loads a pushed model into this process."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from components.versioned_pusher.version_folders import list_versions
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.workspace import MODEL_FILE, Workspace
from pipeline.api import asking
from pipeline.api.asking import Answer, Input
from pipeline.api.damaged import ways_out
from pipeline.api.explaining import require_explain
from pipeline.api.quiet_screen import quieten_screen
from pipeline.api.values import Path, local_path, task_named
from pipeline.explanations.values import EXPLAIN, trimmed
from pipeline.task import Task

_SIGNATURE = "serving_default"


def load(
  task: str | Task,
  *,
  version: int | None = None,
  path: Path | None = None,
  workspace: Path | None = None,
) -> Model:
  """Loads a model of a task: the served version, another version, or a SavedModel in any folder.

  >>> model = dlpipe.load("images")
  >>> model.version
  1
  >>> dlpipe.load("images", version=7)
  Traceback (most recent call last):
  dlpipe.errors.BadInputError: No version 7 in ... Known versions: 1.

  Args:
    task: the task, or its name.
    version: the number of a pushed version; None takes the newest, which is the served one.
    path: the folder of a SavedModel that a run of the task exported; the workspace is not used.
    workspace: the workspace of the model; None takes $DLPIPE_WORKSPACE, else ./workspace.

  Raises:
    BadInputError: there is no such model.
    DlpipeError: it cannot be loaded; the message says how to get predictions in spite of that.
  """
  known = task_named(task)
  where = local_path("path", path), local_path("workspace", workspace)
  return Model(known, loaded(known, version, *where))


class Model:
  """A model in this process. Several threads may call it at the same time.

  >>> with dlpipe.load("images") as model:
  ...   answers = model.predict(["a.png", "b.png"])
  >>> sorted(answers[0])
  ['decision', 'familiarity', 'label', 'labels', 'score', 'scores', 'set']

  Attributes:
    task: the task's name.
    version: the number of the pushed version; None if the folder's name is not a number.
    path: the folder of the SavedModel.
  """

  def __init__(self, task: Task, model: Loaded):
    """Use `load` to make one.

    Args:
      task: the task of the model.
      model: the SavedModel in memory.
    """
    self._task, self._model = task, model
    self.task: str = task.name
    self.version: int | None = model.version
    self.path: pathlib.Path = model.path

  def predict(self, inputs: Sequence[str | bytes | os.PathLike[str]]) -> list[dict[str, Any]]:
    """Predicts inputs as `dlpipe predict`, `dlpipe batch` and a model server do.

    >>> model = dlpipe.load("images")
    >>> [good, bad] = model.predict(["a.png", b"no picture"])
    >>> good["label"] in good["labels"], round(sum(good["scores"]), 3)
    (True, 1.0)
    >>> sorted(bad)
    ['error']

    Args:
      inputs: texts; for a task whose inputs are files, their paths or their bytes.

    Returns:
      For each input, in order, the model's outputs by name, as Python values. A classifier returns
      `label` and `score`, and `labels` and `scores` of all classes; a translation `translation` and
      `score`. An input that the model cannot answer has only `error`, which says why; it does not
      affect the others.

    Raises:
      BadInputError: `inputs` is empty, or the model can answer none of them.
      DlpipeError: the model failed.
    """
    asked = self._all_asked("predict", inputs)
    return asking.rows(self._task, asked, self._model.answers)

  def explain(self, inputs: Sequence[str | bytes | os.PathLike[str]]) -> list[dict[str, Any]]:
    """Explains the answers to inputs, as `dlpipe predict --why` and the signature `explain` do.

    >>> model = dlpipe.load("images")
    >>> [why] = model.explain(["a.png"])
    >>> sorted(why)
    ['explained', 'intercept', 'label', 'map', 'map_png_bytes', 'unexplained']
    >>> why["map_png_bytes"][:4]
    b'\\x89PNG'

    Args:
      inputs: as for `predict`.

    Returns:
      For each input, in order, the outputs of the signature: docs/explanations.md lists them. An
      input that the model cannot answer has only `error`.

    Raises:
      BadInputError: as for `predict`; or the model has no signature `explain`.
      DlpipeError: the model failed.
    """
    asked = self._all_asked("explain", inputs)
    return asking.rows(self._task, asked, self._model.explanations)

  def _all_asked(self, what: str, inputs: Sequence[str | bytes | os.PathLike[str]]) -> list[Input]:
    if isinstance(inputs, (str, bytes, os.PathLike)) or not isinstance(inputs, Iterable):
      raise BadInputError(
        f"{what} takes a list of inputs, such as [{inputs!r:.60}]. Received: {inputs!r:.60}"
      )
    asked = [self._asked(each) for each in inputs]
    if not asked:
      raise BadInputError(f"{what} takes at least one input. Received an empty list.")
    asking.require_readable(self._task, asked)
    return asked

  def _asked(self, given: Any) -> Input:
    if self._task.input.kind == "file":
      if isinstance(given, bytes):
        return Input(f"{len(given):,} bytes", given, None)
      if isinstance(given, os.PathLike):
        given = os.fspath(given)
    return asking.as_input(self._task, given)

  def close(self) -> None:
    """Frees the memory. No thread may be asking."""
    self._model.close()

  def __enter__(self) -> Model:
    return self

  def __exit__(self, *exc_info: object) -> None:
    self.close()

  def __repr__(self) -> str:
    version = f"version {self.version}" if self.version is not None else "no version"
    return f"<Model of {self.task}, {version}, in {self.path}>"


def loaded(
  task: Task, version: int | None = None, folder: str | None = None, place: str | None = None
) -> Loaded:
  """Loads the model for `load`.

  Args:
    task: the task.
    version: the number of a pushed version, or None.
    folder: the folder of a SavedModel, or None.
    place: the workspace as the user gave it, or None.

  Raises:
    BadInputError: there is no such model.
    DlpipeError: it cannot be loaded.
  """
  if folder is not None:
    if version is not None or place is not None:
      raise BadInputError("path names a model by itself. Leave version and workspace out.")
    if not os.path.isfile(os.path.join(folder, MODEL_FILE)):
      raise BadInputError(f"path takes a folder with a {MODEL_FILE}. There is none in {folder!r}.")
    return Loaded(task, os.path.abspath(folder))
  base = Workspace.of(place).task(task.name).serving
  pushed = list_versions(base)
  if not pushed:
    raise BadInputError(
      f"No model is pushed in {str(base)!r}. Run `dlpipe run {task.name}` first, or name the "
      "workspace of that run with --workspace."
    )
  if version is not None and version not in pushed:
    raise BadInputError(
      f"No version {version} in {str(base)!r}. Known versions: {', '.join(map(str, pushed))}."
    )
  quieten_screen()
  from serving.models.local_model import list_models

  if version is None:
    version = max(list_models(base), default=max(pushed))
  try:
    return Loaded(task, base, version)
  except DlpipeError as err:
    raise DlpipeError(f"{err}\n{ways_out(task.name, place, version)}") from err


class Loaded:
  """A SavedModel in memory."""

  def __init__(self, task: Task, path: str | os.PathLike[str], version: int | None = None):
    """Loads a version below the base path `path`; without a version, the SavedModel in `path`.

    Raises:
      DlpipeError: it cannot be loaded.
    """
    # Otherwise TensorFlow would print its advice to programmers among the answers.
    quieten_screen()
    from serving.errors import ServingError
    from serving.models.local_model import LocalModel

    self._key = task.input.key
    try:
      self._model = LocalModel.load(path, version)
    except ServingError as err:
      raise DlpipeError(err.message) from err
    self.version, self.path = self._model.version, self._model.path

  def answers(self, values: Sequence[bytes]) -> list[Answer]:
    """Returns the model's outputs or its error for each value.

    Raises:
      DlpipeError: the model failed.
    """
    return self._asked(_SIGNATURE, values)

  def explanations(self, values: Sequence[bytes]) -> list[Answer]:
    """Returns the explanation of each answer, or the error.

    Raises:
      BadInputError: the model has no signature `explain`.
      DlpipeError: the model failed.
    """
    require_explain(self._model.signatures, f"The model in {os.fspath(self.path)!r}")
    found = self._asked(EXPLAIN, values)
    return [each if isinstance(each, str) else trimmed(each) for each in found]

  def _asked(self, signature: str, values: Sequence[bytes]) -> list[Answer]:
    from serving.errors import InvalidArgument, ServingError

    try:
      return asking.answers(
        lambda some: self._model.predict(signature, {self._key: some}), values, InvalidArgument
      )
    except ServingError as err:
      raise DlpipeError(f"The model could not answer: {err}") from err

  def close(self) -> None:
    """Frees the memory. No thread may be asking."""
    self._model.close()
