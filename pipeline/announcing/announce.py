"""Tells everybody whom the settings name how a run ended; a failure to tell changes nothing."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping

from dlpipe import progress
from dlpipe.causes import user_error
from dlpipe.errors import BadInputError, BusyError, DlpipeError
from pipeline.announcing import command, mail, notices, prometheus, webhook
from pipeline.announcing.notices import NotToldError
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import FAILED, RunResult
from pipeline.settings.config import PipelineConfig
from pipeline.settings.telling import SECRETS, secret

# Setting to the module that it needs, and the extra that has it.
_CLIENTS = {
  "openlineage_url": ("openlineage.client", "openlineage"),
  "mlflow_uri": ("mlflow", "mlflow"),
}


def require(config: PipelineConfig, environ: Mapping[str, str]) -> None:
  """Checks, before a run begins, that it can tell of its end.

  Raises:
    BadInputError: a secret or a folder is not where a setting says, or a client is not installed.
  """
  secrets = _Secrets(config, environ)
  for section in ("notify", "tracking"):
    for name in type(getattr(config, section)).model_fields:
      secrets.find(section, name)
  for name, (module, extra) in _CLIENTS.items():
    if getattr(config.tracking, name) is not None and not _is_installed(module):
      raise BadInputError(
        f"tracking.{name} needs a client that is not installed. In the folder of dlpipe: "
        f"uv pip install --editable '.[{extra}]' (docs/install.md)"
      )
  folder = config.tracking.prometheus_dir
  if folder is not None and not os.path.isdir(folder):
    raise BadInputError(
      f"tracking.prometheus_dir must be a folder that is there. Received: {folder!r}"
    )


def announce(data: ReportData, config: PipelineConfig, environ: Mapping[str, str]) -> list[str]:
  """Tells of a run that ended; returns a sentence for each that could not be told.

  Args:
    data: the run's record.
    config: its configuration.
    environ: the environment, for secrets.
  """
  secrets = _Secrets(config, environ)
  said = []
  for name, tell in _tellers(data, config, secrets):
    try:
      tell()
    except (NotToldError, BadInputError) as err:
      reason = str(err).rstrip(".")
    except Exception as err:  # not foreseen; its text may hold a secret
      reason = f"{type(err).__name__}, which was not foreseen"
    else:
      continue
    said.append(f"{name} was not told: {reason}. What the run came to stands.")
  return said


@contextlib.contextmanager
def failures_told(
  config: PipelineConfig, run_id: str, environ: Mapping[str, str]
) -> Iterator[None]:
  """Tells of a run that ends without a record; the error is raised again.

  A run that finds another at work is no failure: the same command works later. A disk that is full,
  and what nobody foresaw, is one.

  Args:
    config: the run's configuration.
    run_id: its name.
    environ: the environment, for secrets.
  """
  started = datetime.datetime.now(datetime.timezone.utc)
  try:
    yield
  except Exception as err:
    if isinstance(err, BusyError) or isinstance(user_error(err), BusyError):
      raise
    data = ReportData(
      result=failed(config, run_id, err),
      started=started.isoformat(timespec="seconds"),
      data_path=config.data_path,
    )
    said = announce(data, config, environ)
    if said and isinstance(err, DlpipeError):
      raise type(err)("\n".join([str(err), *said])) from err
    for each in said:
      progress.report(each)
    raise


def failed(config: PipelineConfig, run_id: str, error: Exception) -> RunResult:
  """Returns the result of a run that ended without one."""
  known = error if isinstance(error, DlpipeError) else user_error(error)
  return RunResult(
    run_id=run_id,
    task=config.task,
    state=FAILED,
    pushed_version=None,
    serving_dir=str(config.folder.serving),
    metrics={},
    gates=[],
    components=[],
    examples={},
    report=None,
    error=str(known) if known is not None else f"{type(error).__name__}: {error}",
    bad_input=isinstance(known, BadInputError),
  )


class _Secrets:
  """Finds the secrets of a configuration when they are needed, and keeps none."""

  def __init__(self, config: PipelineConfig, environ: Mapping[str, str]):
    self._config, self._environ = config, environ

  def find(self, section: str, name: str) -> str | None:
    """Returns the value of a setting; of a secret, what it refers to.

    Raises:
      BadInputError: the secret is not where the setting says.
    """
    value = getattr(getattr(self._config, section), name)
    if name not in SECRETS or value is None:
      return None
    return secret(section, name, value, self._environ)


def _tellers(
  data: ReportData, config: PipelineConfig, secrets: _Secrets
) -> Iterator[tuple[str, Callable[[], None]]]:
  """Yields, by setting, what tells somebody."""
  tracking, settings = config.tracking, config.notify
  if (folder := tracking.prometheus_dir) is not None:
    yield "tracking.prometheus_dir", lambda: prometheus.write(data.result, folder)
  if tracking.openlineage_url is not None:
    yield "tracking.openlineage_url", lambda: _openlineage(data, config, secrets)
  if tracking.mlflow_uri is not None:
    yield "tracking.mlflow_uri", lambda: _mlflow(data, config, secrets)
  notice = notices.notice_of(data.result)
  if not {*notice.events} & {*settings.events}:
    return
  if settings.webhook is not None:
    yield (
      "notify.webhook",
      lambda: webhook.post(
        notice,
        secrets.find("notify", "webhook") or "",
        token=secrets.find("notify", "webhook_token"),
        timeout_s=settings.timeout_s,
        retries=settings.retries,
      ),
    )
  if (words := settings.command) is not None:
    yield "notify.command", lambda: command.run(notice, words, timeout_s=settings.timeout_s)
  if settings.email_to:
    yield (
      "notify.email_to",
      lambda: mail.send(notice, settings, password=secrets.find("notify", "smtp_password")),
    )


def _openlineage(data: ReportData, config: PipelineConfig, secrets: _Secrets) -> None:
  from pipeline.announcing import openlineage_events

  openlineage_events.emit(data, config, key=secrets.find("tracking", "openlineage_key"))


def _mlflow(data: ReportData, config: PipelineConfig, secrets: _Secrets) -> None:
  from pipeline.announcing import mlflow_records

  mlflow_records.write(data, config, token=secrets.find("tracking", "mlflow_token"))


def _is_installed(module: str) -> bool:
  try:
    return importlib.util.find_spec(module) is not None
  except ModuleNotFoundError:  # of its parent
    return False
