"""`Workspace`: knows every path below the folder in which the runs of a task write.

    <workspace>/<task>/
      metadata.db        the metadata store
      artifacts/         outputs of nodes; .running/ holds a locked file for each running node
      checkpoints/       unfinished trainings
      trials/            finished trials of the last search
      spans/             what was read of each span of the data
      serving/           the versions that a model server serves
      models.json        the history of models, for backends without resolvers
      runs/<run>.json    the settings of a run
      compiled/<run>.json  the pipeline of a run that an orchestrator began with settings of its own
      reports/<run>.html
      logs/<run>.log
      quarantine/<run>/  records that could not be used
      cleaned/<run>.json what is known of a run whose files were deleted
      drift.json         how far apart the data of earlier runs were
      drift_refused.json the last comparison that refused the data
      watch.html         what the last `dlpipe watch` found
      stages.json        which versions have labels or pins, since when and why
      models.config      the labels for a model server
      requests/          requests that a model server logged
      copies/            input from object stores and web servers
      notes/<run>/       what the containers of a backend leave for the record of a run
      checks/            results of `dlpipe check`
      replays/           reports of logged requests that were sent through two versions
      reproduced/<run>/  a workspace for the repetition of a run
      node_memory.json   the memory that each node needed
      .lock              held by the current run
      .cleaning/         what is being deleted

Imports only the standard library and this package.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Mapping

from dlpipe.local_paths import require_local

_VARIABLE = "DLPIPE_WORKSPACE"
# The file without which a folder is no SavedModel.
MODEL_FILE = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class TaskFolder:
  """The folder of one task in a workspace.

  Attributes:
    root: its path.

  >>> TaskFolder(pathlib.Path("/w/images")).report("r1").as_posix()
  '/w/images/reports/r1.html'
  """

  root: pathlib.Path

  @classmethod
  def of_serving(cls, serving_dir: str) -> TaskFolder:
    """Returns the folder whose versions are served from `serving_dir`."""
    return cls(pathlib.Path(serving_dir).parent)

  @property
  def task(self) -> str:
    """The name of the task."""
    return self.root.name

  @property
  def is_used(self) -> bool:
    """Whether a run was started here, or versions are served from here."""
    return any(path.exists() for path in (self.metadata, self._runs, self.serving))

  @property
  def metadata(self) -> pathlib.Path:
    """The SQLite file of the metadata store."""
    return self.root / "metadata.db"

  @property
  def artifacts(self) -> pathlib.Path:
    """TFX's pipeline root."""
    return self.root / "artifacts"

  @property
  def checkpoints(self) -> pathlib.Path:
    """The folder from which a killed training goes on."""
    return self.root / "checkpoints"

  @property
  def trials(self) -> pathlib.Path:
    """The folder of finished trials, with which a killed Tuner goes on."""
    return self.root / "trials"

  @property
  def spans(self) -> pathlib.Path:
    """The records of what was read of each span, as `components.spans.kept` has it."""
    return self.root / "spans"

  @property
  def serving(self) -> pathlib.Path:
    """The TensorFlow Serving base path."""
    return self.root / "serving"

  @property
  def models(self) -> pathlib.Path:
    """The history of models that `components.model_history` keeps."""
    return self.root / "models.json"

  @property
  def node_memory(self) -> pathlib.Path:
    """The memory that each node needed when it last ran."""
    return self.root / "node_memory.json"

  @property
  def checks(self) -> pathlib.Path:
    """Results of `dlpipe check`, kept for the next time."""
    return self.root / "checks"

  def data_page(self, examples: pathlib.Path) -> pathlib.Path:
    """Returns the path of the page on the data of an `Examples` artifact, by its directory."""
    return self.checks / f"data-{examples.name}.html"

  @property
  def copies(self) -> pathlib.Path:
    """Local copies of input from stores, which `dlpipe.remote.copying` keeps."""
    return self.root / "copies"

  @property
  def going(self) -> pathlib.Path:
    """The folder into which files are moved while they are deleted."""
    return self.root / ".cleaning"

  @property
  def stages(self) -> pathlib.Path:
    """The labels and pins of versions, with who set them and why."""
    return self.root / "stages.json"

  @property
  def drift(self) -> pathlib.Path:
    """Record of how far apart the data of earlier runs were; it bounds the next comparison."""
    return self.root / "drift.json"

  @property
  def watched(self) -> pathlib.Path:
    """The page of the last `dlpipe watch`."""
    return self.root / "watch.html"

  @property
  def models_config(self) -> pathlib.Path:
    """The `ModelServerConfig` with the labels, for any model server."""
    return self.root / "models.config"

  @property
  def requests(self) -> pathlib.Path:
    """The request log of `dlpipe serve --log-requests`."""
    return self.root / "requests"

  @property
  def replays(self) -> pathlib.Path:
    """The reports of `dlpipe replay`, and the flips that they are about."""
    return self.root / "replays"

  @property
  def lock(self) -> pathlib.Path:
    """The file that a run holds locked; it contains the run's name."""
    return self.root / ".lock"

  @property
  def _runs(self) -> pathlib.Path:
    return self.root / "runs"

  def run_file(self, run_id: str) -> pathlib.Path:
    """Returns the path of a run's settings, which `pipeline.runs.run_files` writes."""
    return self._runs / f"{file_name(run_id)}.json"

  def compiled(self, run_id: str) -> pathlib.Path:
    """Returns the path of the pipeline of a run that an orchestrator began with settings."""
    return self.root / "compiled" / f"{file_name(run_id)}.json"

  def notes(self, run_id: str) -> pathlib.Path:
    """Returns the folder of what the containers of a run leave for its record."""
    return self.root / "notes" / file_name(run_id)

  def report(self, run_id: str) -> pathlib.Path:
    """Returns the path of a run's report."""
    return self.root / "reports" / f"{file_name(run_id)}.html"

  def log(self, run_id: str) -> pathlib.Path:
    """Returns the path of the log of a run, or of another command that names its log."""
    return self.root / "logs" / f"{file_name(run_id)}.log"

  def quarantine(self, run_id: str) -> pathlib.Path:
    """Returns the folder of the rejected records of a run."""
    return self.root / "quarantine" / file_name(run_id)

  def cleaned_file(self, run_id: str) -> pathlib.Path:
    """Returns the path of what is kept of a run whose files were deleted."""
    return self.root / "cleaned" / f"{file_name(run_id)}.json"

  def reproduction(self, run_id: str) -> pathlib.Path:
    """Returns the workspace in which a run is repeated."""
    return self.root / "reproduced" / file_name(run_id)


@dataclasses.dataclass(frozen=True)
class Workspace:
  """A folder that holds a folder for each task.

  Attributes:
    path: its absolute path.

  >>> Workspace.of("/w").task("images").serving.as_posix()
  '/w/images/serving'
  """

  path: pathlib.Path

  @classmethod
  def of(cls, given: str | os.PathLike[str] | None) -> Workspace:
    """Returns the workspace at a path, or the default workspace if the path is None.

    Raises:
      BadInputError: the default workspace is not on this machine.
    """
    return cls(pathlib.Path(os.path.abspath(os.path.expanduser(given or from_env()))))

  @property
  def option(self) -> str:
    """The option ` --workspace DIR` for a suggested command; empty for the default workspace."""
    if self == Workspace.of(None):
      return ""
    return f" --workspace {shlex.quote(str(self.path))}"

  def task(self, name: str) -> TaskFolder:
    """Returns the folder of a task, whether it exists or not."""
    return TaskFolder(self.path / name)

  def tasks(self) -> list[TaskFolder]:
    """Returns the folders of all tasks that ran here or are served from here, sorted by name."""
    if not self.path.is_dir():
      return []
    folders = (TaskFolder(path) for path in sorted(self.path.iterdir()) if path.is_dir())
    return [folder for folder in folders if folder.is_used]


def file_name(run_id: str) -> str:
  """Returns the name of a run for use in a path: an orchestrator's may hold slashes.

  >>> file_name("dag.manual__2026-11-24T18:00:00+00:00"), file_name("../r/1")
  ('dag.manual__2026-11-24T18:00:00+00:00', '%2E.%2Fr%2F1')
  """
  name = run_id.replace("/", "%2F")
  return f"%2E{name[1:]}" if name.startswith(".") else name


def running(artifacts: pathlib.Path) -> pathlib.Path:
  """Returns the folder of the files that running nodes lock.

  Args:
    artifacts: the pipeline root; a compiled pipeline knows it, but not the folder of its task.
  """
  return artifacts / ".running"


def default_workspace(environ: Mapping[str, str]) -> str:
  """Returns the workspace if none is named: `$DLPIPE_WORKSPACE`, else `./workspace`."""
  return os.path.expanduser(environ.get(_VARIABLE) or "workspace")


def from_env() -> str:
  """Returns the default workspace in the environment of this process.

  Raises:
    BadInputError: the default workspace is not on this machine.
  """
  workspace = default_workspace(os.environ)
  require_local(_VARIABLE, workspace)
  return workspace
