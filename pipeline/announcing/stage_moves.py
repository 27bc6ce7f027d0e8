"""Tells MLflow's registry that another version is live, the canary or a candidate."""

from __future__ import annotations

import os

from components.versioned_pusher.version_folders import version_record
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder
from pipeline.announcing.notices import NotToldError
from pipeline.runs import run_files
from pipeline.settings.telling import secret


def tell_of_stage(folder: TaskFolder, version: int, alias: str) -> str | None:
  """Moves an alias, by the settings of the latest run; returns a sentence if that did not work.

  Args:
    folder: the task's.
    version: the version in the served directory.
    alias: `stable` or `canary`.
  """
  config = next(
    (
      told.config
      for path in sorted(folder.run_file("*").parent.glob("*.json"), reverse=True)
      if (told := run_files.told(folder, path.stem)) is not None
    ),
    None,
  )
  if config is None or config.tracking.mlflow_model is None:
    return None
  from pipeline.announcing import mlflow_records

  reference = config.tracking.mlflow_token
  try:
    token = secret("tracking", "mlflow_token", reference, os.environ) if reference else None
    first = version_record(folder.serving, version).get("first_version", version)
    mlflow_records.move(config, first, alias, token=token)
  except (NotToldError, BadInputError) as err:
    return (
      f"tracking.mlflow_uri was not told: {str(err).rstrip('.')}. The alias {alias} of "
      f"{config.tracking.mlflow_model} is where it was; what is live has changed."
    )
  return None
