"""Fetches one data set of the catalog into a folder that is complete or absent.

    <parent>/.<name>.lock    held while a fetch runs
    <parent>/.<name>.fetch/  complete and partial downloads, and files being unpacked
    <parent>/<name>/         the data set, renamed into place after success

An interrupted fetch leaves its downloads, and the next one resumes them. Called by
`dlpipe data fetch`; imports only the standard library.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator

from data import archives
from data.catalog import DataSet, RemoteFile
from data.download import Checksum, DownloadError, OnBytes, download

WAITING, DOWNLOADING, UNPACKING = "waiting", "downloading", "unpacking"
_RECORD = ".dlpipe.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
  """The progress of a fetch.

  Attributes:
    stage: WAITING for another fetch, DOWNLOADING or UNPACKING.
    what: the name of the file or data set.
    done: number of bytes received.
    total: total number of bytes; None if unknown.
  """

  stage: str
  what: str
  done: int = 0
  total: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fetched:
  """A data set on this machine.

  Attributes:
    folder: the folder of the data set.
    data_path: the value for `--data`.
    is_new: whether this call fetched it.
    sha256: file name to the verified SHA-256 of the downloaded file.
  """

  folder: pathlib.Path
  data_path: pathlib.Path
  is_new: bool
  sha256: dict[str, str]


def find(data_set: DataSet, parent: pathlib.Path) -> Fetched | None:
  """Returns the data set below a folder; None if it was not fetched.

  Raises:
    DownloadError: another file or folder has its name.
  """
  folder = parent / data_set.name
  try:
    record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
  except FileNotFoundError:
    if folder.exists():
      raise DownloadError(
        f"{folder} exists and was not fetched by this command. Move it away, or choose another "
        "folder with --to."
      ) from None
    return None
  return Fetched(
    folder=folder,
    data_path=folder / data_set.data_path,
    is_new=False,
    sha256={file["name"]: file["sha256"] for file in record["files"]},
  )


def fetch(
  data_set: DataSet,
  parent: pathlib.Path,
  *,
  mirror: str | None = None,
  on_step: Callable[[Step], None] | None = None,
  attempts: int = 5,
  first_wait_s: float = 1.0,
) -> Fetched:
  """Fetches the data set to `<parent>/<name>`; does nothing if it is there.

  Args:
    data_set: what to fetch.
    parent: the folder that gets the data set; created if absent.
    mirror: base URL; files come from `<mirror>/<name>/<file>` instead of their published URLs.
    on_step: called with each step of the fetch.
    attempts: as in `download`.
    first_wait_s: as in `download`.

  Raises:
    DownloadError: a file cannot be downloaded, differs from the published one, or cannot be
      unpacked.
    OSError: the folder cannot be written.
  """
  tell = on_step or _ignore
  parent.mkdir(parents=True, exist_ok=True)
  with _locked(parent / f".{data_set.name}.lock", lambda: tell(Step(stage=WAITING, what="fetch"))):
    found = find(data_set, parent)
    if found:
      return found
    work = parent / f".{data_set.name}.fetch"
    work.mkdir(exist_ok=True)
    _require_room(data_set, work)
    for file in data_set.files:
      url = file.url if mirror is None else f"{mirror.rstrip('/')}/{data_set.name}/{file.name}"
      download(
        url,
        work / file.name,
        checksum=file.checksum,
        size_bytes=file.size_bytes,
        on_bytes=_downloading(file.name, tell),
        attempts=attempts,
        first_wait_s=first_wait_s,
      )
    tell(Step(stage=UNPACKING, what=data_set.name))
    complete = _build(data_set, work)
    complete.rename(parent / data_set.name)
    shutil.rmtree(work)
  fetched = find(data_set, parent)
  if fetched is None:
    raise DownloadError(f"{parent / data_set.name} was deleted by somebody else; fetch again.")
  return dataclasses.replace(fetched, is_new=True)


def _ignore(step: Step) -> None:
  del step


def _downloading(name: str, tell: Callable[[Step], None]) -> OnBytes:
  return lambda done, total: tell(Step(stage=DOWNLOADING, what=name, done=done, total=total))


def _require_room(data_set: DataSet, work: pathlib.Path) -> None:
  here = sum(path.stat().st_size for path in work.iterdir() if path.is_file())
  needed = data_set.room_bytes - here
  free = shutil.disk_usage(work).free
  if free < needed:
    raise DownloadError(
      f"{data_set.name} needs about {needed / 1e6:,.0f} MB more in {work.parent}, where "
      f"{free / 1e6:,.0f} MB are free. Make room, or choose another folder with --to."
    )


def _build(data_set: DataSet, work: pathlib.Path) -> pathlib.Path:
  """Unpacks and prepares the files; returns the complete folder, not yet under its name."""
  target = work / "complete"
  if target.exists():  # left by a fetch that was killed
    shutil.rmtree(target)
  target.mkdir()
  for file in data_set.files:
    if archives.is_archive(file.name):
      try:
        archives.unpack(work / file.name, target, keep=file.keep)
      except archives.ArchiveError as err:
        raise DownloadError(str(err)) from err
    else:
      shutil.copyfile(work / file.name, target / file.name)
  if data_set.prepare:
    data_set.prepare(target)
  missing = [path for path in data_set.expects if not (target / path).exists()]
  if missing:
    raise DownloadError(
      f"{data_set.name} was fetched, but holds no {', '.join(missing)}. The publisher may have "
      "packed it otherwise; please report this."
    )
  (target / _RECORD).write_text(json.dumps(_record(data_set, work), indent=2), encoding="utf-8")
  return target


def _record(data_set: DataSet, work: pathlib.Path) -> dict:
  return {
    "name": data_set.name,
    "licence": data_set.licence,
    "source": data_set.source,
    "files": [_file_record(file, work / file.name) for file in data_set.files],
  }


def _file_record(file: RemoteFile, path: pathlib.Path) -> dict:
  return {
    "name": file.name,
    "url": file.url,
    "size_bytes": path.stat().st_size,
    "sha256": Checksum(algorithm="sha256", digest="").of(path),
  }


@contextlib.contextmanager
def _locked(path: pathlib.Path, on_wait: Callable[[], None]) -> Iterator[None]:
  """Holds the lock file; waits if another fetch holds it. The lock ends with the process."""
  with path.open("a") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      on_wait()
      fcntl.flock(file, fcntl.LOCK_EX)
    yield
