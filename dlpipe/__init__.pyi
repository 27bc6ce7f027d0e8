# The types of what `__init__.py` finds when it is asked. Signatures stand here once more, lest a
# type checker read TFX; tests/unit/dlpipe/test_public_names.py holds them to the code.
import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

from dlpipe import errors as errors
from dlpipe.records import Record as Record
from dlpipe.records import Rejected as Rejected
from dlpipe.verdicts import Ruling as Ruling
from pipeline import problems as problems
from pipeline.execution import events as events
from pipeline.task import Input as Input
from pipeline.task import MetricGate as Gate
from pipeline.task import Phase as Phase
from pipeline.task import Source as Source
from pipeline.task import Task as Task

__all__ = [
  "Gate",
  "Input",
  "Model",
  "Phase",
  "Record",
  "Rejected",
  "Ruling",
  "Run",
  "Source",
  "Task",
  "check",
  "compile",
  "errors",
  "events",
  "load",
  "problems",
  "run",
  "runs",
  "watch",
]

_Path = str | os.PathLike[str]

@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
  run_id: str
  task: str
  state: str
  started: str
  version: int | None
  metrics: Mapping[str, float]
  verdicts: tuple[Ruling, ...]
  examples: Mapping[str, int]
  warnings: tuple[str, ...]
  data: pathlib.Path | None
  recognized: Mapping[str, Any]
  report: pathlib.Path | None
  log: pathlib.Path | None
  serving_dir: pathlib.Path
  predictions: pathlib.Path | None = None
  spans: tuple[Mapping[str, Any], ...] = ()
  def rows(
    self, where: str | None = None, *, sort: str | None = None, limit: int | None = None
  ) -> list[dict[str, Any]]: ...
  @property
  def exit_code(self) -> int: ...

class Model:
  task: str
  version: int | None
  path: pathlib.Path
  def predict(self, inputs: Sequence[str | bytes | os.PathLike[str]]) -> list[dict[str, Any]]: ...
  def explain(self, inputs: Sequence[str | bytes | os.PathLike[str]]) -> list[dict[str, Any]]: ...
  def close(self) -> None: ...
  def __enter__(self) -> Model: ...
  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
  ) -> None: ...

def run(
  task: str | Task,
  *,
  data: _Path | None = None,
  workspace: _Path | None = None,
  config: _Path | None = None,
  settings: Mapping[str, Any] | None = None,
  tiny: bool = False,
  beam: str | None = None,
  mlmd: _Path | None = None,
  from_node: str | None = None,
  until_node: str | None = None,
  cache: bool = True,
  retries: int = 0,
  progress: bool | Callable[[events.Event], None] = False,
  **sections: Mapping[str, Any],
) -> Run: ...
def check(
  task: str | Task,
  *,
  data: _Path | None = None,
  workspace: _Path | None = None,
  config: _Path | None = None,
  settings: Mapping[str, Any] | None = None,
  tiny: bool = False,
  beam: str | None = None,
  mlmd: _Path | None = None,
  labels: bool = False,
  progress: bool | Callable[[events.Event], None] = False,
  **sections: Mapping[str, Any],
) -> Run: ...
def compile(  # noqa: A001
  task: str | Task,
  *,
  target: Literal["ir", "airflow", "kubeflow"],
  output: _Path | None = None,
  data: _Path | None = None,
  workspace: _Path | None = None,
  config: _Path | None = None,
  settings: Mapping[str, Any] | None = None,
  tiny: bool = False,
  beam: str | None = None,
  mlmd: _Path | None = None,
  **sections: Mapping[str, Any],
) -> pathlib.Path: ...
def load(
  task: str | Task,
  *,
  version: int | None = None,
  path: _Path | None = None,
  workspace: _Path | None = None,
) -> Model: ...
def runs(
  task: str | Task | None = None, *, workspace: _Path | None = None, mlmd: _Path | None = None
) -> list[Run]: ...
def watch(
  task: str | Task,
  *,
  since: str = "24h",
  until: str | None = None,
  labels: _Path | None = None,
  label_column: str | None = None,
  least: float = 0.02,
  metrics: _Path | None = None,
  log: _Path | None = None,
  workspace: _Path | None = None,
) -> dict[str, Any]: ...
