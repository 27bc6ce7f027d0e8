"""Keeps the finished trials of a search outside of its execution, so that a killed one goes on."""

from __future__ import annotations

import pathlib
import shutil
from typing import TYPE_CHECKING

from components.trials import Trial, Trials
from dlpipe import progress
from dlpipe.disk.whole_files import write_whole
from pipeline.training import checkpoints

if TYPE_CHECKING:
  from tfx.components.trainer.fn_args_utils import FnArgs

# More trials or more time go on with the trials that there are.
_OF_NO_TRIAL = ("trials", "minutes")


def file_of(fn_args: FnArgs) -> pathlib.Path | None:
  """Returns the file of the trials with these data, code and settings; None without a folder.

  Deletes those of other searches.
  """
  config = dict(fn_args.custom_config)
  root = config.pop("trials_root", None)
  if root is None:
    return None
  config["tune"] = {n: v for n, v in config["tune"].items() if n not in _OF_NO_TRIAL}
  name = checkpoints.identity_of(fn_args, config, fn_args.transform_graph_path)
  folder = pathlib.Path(root)
  for other in folder.glob("*"):
    if other.name != name and other.is_dir():
      shutil.rmtree(other, ignore_errors=True)
  return folder / name / Trials.FILE


def read(path: pathlib.Path | None) -> dict[int, Trial]:
  """Returns the kept trials by number; those that failed are tried again."""
  if path is None or not path.exists():
    return {}
  try:
    record = Trials.from_text(path.read_text(encoding="utf-8"))
  except ValueError as err:
    progress.report(f"the trials in {path} cannot be used ({err}): all are run again", epoch=0)
    return {}
  # What the time ended is no whole trial, and there may be more time now.
  found = {
    row.trial: row
    for row in record.trials
    if row.score is not None and row.ended_by != "tune.minutes"
  }
  if found:
    progress.report(f"going on with {len(found)} trials that were finished before", epoch=0)
  return found


def write(record: Trials, path: pathlib.Path) -> None:
  """Writes the trials atomically."""
  write_whole(path, record.to_text())
