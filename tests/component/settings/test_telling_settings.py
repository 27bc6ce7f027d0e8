"""What every setting of `notify` and `tracking` does: who is told, with what, how often."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dlpipe.errors import BadInputError
from pipeline.announcing import announce, command, mail, mlflow_records, openlineage_events, webhook
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import RunResult

SECTIONS = ("notify", "tracking")
TASKS = ("images",)
SECRETS = {"HOOK": "http://127.0.0.1:9/hook", "TOKEN": "t0kEn", "PASSWORD": "pa55word"}
WEBHOOK = "notify.webhook=env:HOOK"
MAIL = (
  "notify.email_to=[a@example.com]",
  "notify.email_from=b@example.com",
  "notify.smtp_server=mail.example.com:587",
)
LOGIN = ("notify.smtp_user=me", "notify.smtp_password=env:PASSWORD")


@pytest.fixture
def told(run, monkeypatch):
  """Returns a function from settings, and a run's state, to the calls of those who tell."""
  calls: list[tuple[str, tuple[Any, ...], Mapping[str, Any]]] = []
  for name, module, function in (
    ("webhook", webhook, "post"),
    ("mail", mail, "send"),
    ("command", command, "run"),
    ("openlineage", openlineage_events, "emit"),
    ("mlflow", mlflow_records, "write"),
  ):
    monkeypatch.setattr(
      module, function, lambda *given, _name=name, **more: calls.append((_name, given, more))
    )

  def tell(*settings: str, state: str = "pushed") -> list[Any]:
    calls.clear()
    config = run("images", *settings).config
    result = RunResult(
      run_id="r1",
      task="images",
      state=state,
      pushed_version=1,
      serving_dir=str(config.folder.serving),
      metrics={},
      gates=[],
      components=[],
      examples={},
      report=None,
      error="no" if state != "pushed" else None,
    )
    data = ReportData(result=result, started="2026-01-01T00:00:00+00:00", data_path="d")
    assert announce.announce(data, config, SECRETS) == []
    return list(calls)

  return tell


def _check_events(told: Any, run: Any) -> None:
  asked = (WEBHOOK, "notify.events=[failed]")
  assert [name for name, *_ in told(WEBHOOK)] == ["webhook"]
  assert told(*asked) == []
  assert [name for name, *_ in told(*asked, state="failed")] == ["webhook"]
  assert told() == []


def _check_webhook(told: Any, run: Any) -> None:
  [(name, (_, url), more)] = told(WEBHOOK)
  assert (name, url, more["token"]) == ("webhook", SECRETS["HOOK"], None)


def _check_webhook_token(told: Any, run: Any) -> None:
  [(_, _, more)] = told(WEBHOOK, "notify.webhook_token=env:TOKEN")
  assert more["token"] == "t0kEn"
  with pytest.raises(BadInputError, match=r"^notify\.webhook_token is for a webhook"):
    run("images", "notify.webhook_token=env:TOKEN")


def _check_command(told: Any, run: Any) -> None:
  [(name, (_, words), _)] = told(f"notify.command={sys.executable} -c pass")
  assert (name, words) == ("command", f"{sys.executable} -c pass")
  with pytest.raises(BadInputError, match=r"^notify\.command must be a program with its arguments"):
    run("images", "notify.command='\"not closed'")


def _mail(told: Any, *settings: str) -> tuple[Any, Any]:
  [(name, (_, section), more)] = told(*MAIL, *settings)
  assert name == "mail"
  return section, more


def _check_mail(told: Any, run: Any) -> None:
  section, more = _mail(told)
  assert section.email_to == ("a@example.com",)
  assert section.email_from == "b@example.com"
  assert section.smtp_address == ("mail.example.com", 587)
  assert more["password"] is None


def _check_login(told: Any, run: Any) -> None:
  section, more = _mail(told, *LOGIN)
  assert (section.smtp_user, more["password"]) == ("me", "pa55word")


def _check_security(told: Any, run: Any) -> None:
  for way in ("tls", "none", "starttls"):
    assert _mail(told, f"notify.smtp_security={way}")[0].smtp_security == way


def _check_timeout(told: Any, run: Any) -> None:
  for words in (WEBHOOK, "notify.command=/bin/true"):
    [(_, _, more)] = told(words, "notify.timeout_s=2.5")
    assert more["timeout_s"] == 2.5
  assert _mail(told, "notify.timeout_s=2.5")[0].timeout_s == 2.5
  with pytest.raises(BadInputError, match=r"^notify\.timeout_s tells nobody"):
    run("images", "notify.timeout_s=2.5")


def _check_retries(told: Any, run: Any) -> None:
  [(_, _, more)] = told(WEBHOOK, "notify.retries=1")
  assert more["retries"] == 1
  assert _mail(told, "notify.retries=1")[0].retries == 1
  with pytest.raises(BadInputError, match=r"^notify\.retries is for a webhook and for e-mails"):
    run("images", "notify.command=/bin/true", "notify.retries=1")


def _openlineage(told: Any, *settings: str) -> tuple[Any, Any]:
  [(name, (_, config), more)] = told("tracking.openlineage_url=http://marquez:5000", *settings)
  assert name == "openlineage"
  return config.tracking, more


def _check_openlineage_url(told: Any, run: Any) -> None:
  assert _openlineage(told)[0].openlineage_url == "http://marquez:5000"
  with pytest.raises(BadInputError, match="without a user, a password or a query"):
    run("images", "tracking.openlineage_url=http://me:secret@marquez:5000")


def _check_openlineage_key(told: Any, run: Any) -> None:
  assert _openlineage(told, "tracking.openlineage_key=env:TOKEN")[1]["key"] == "t0kEn"


def _check_openlineage_namespace(told: Any, run: Any) -> None:
  found = _openlineage(told, "tracking.openlineage_namespace=team")[0]
  assert found.openlineage_namespace == "team"
  with pytest.raises(
    BadInputError, match=r"^tracking\.openlineage_namespace is for tracking\.open"
  ):
    run("images", "tracking.openlineage_namespace=team")


def _mlflow(told: Any, *settings: str) -> tuple[Any, Any]:
  [(name, (_, config), more)] = told("tracking.mlflow_uri=http://mlflow:5000", *settings)
  assert name == "mlflow"
  return config.tracking, more


def _check_mlflow_uri(told: Any, run: Any) -> None:
  assert _mlflow(told)[0].mlflow_uri == "http://mlflow:5000"
  with pytest.raises(BadInputError, match=r"^tracking\.mlflow_uri must be a URI such as"):
    run("images", "tracking.mlflow_uri=mlflow:5000")


def _check_mlflow_token(told: Any, run: Any) -> None:
  assert _mlflow(told, "tracking.mlflow_token=env:TOKEN")[1]["token"] == "t0kEn"


def _check_mlflow_names(told: Any, run: Any) -> None:
  found = _mlflow(told, "tracking.mlflow_experiment=e", "tracking.mlflow_model=m")[0]
  assert (found.mlflow_experiment, found.mlflow_model) == ("e", "m")
  with pytest.raises(BadInputError, match=r"^tracking\.mlflow_model is for tracking\.mlflow_uri"):
    run("images", "tracking.mlflow_model=m")


def _check_prometheus_dir(told: Any, run: Any) -> None:
  folder = run("images").config.folder.root.parent.parent / "collector"
  config = run("images", f"tracking.prometheus_dir={folder}").config
  with pytest.raises(BadInputError, match=r"^tracking\.prometheus_dir must be a folder that is"):
    announce.require(config, {})
  folder.mkdir(parents=True)
  assert told(f"tracking.prometheus_dir={folder}") == []
  assert (folder / "dlpipe_images.prom").is_file()


_CHECKS: Mapping[str, Callable[[Any, Any], None]] = {
  "notify.events": _check_events,
  "notify.webhook": _check_webhook,
  "notify.webhook_token": _check_webhook_token,
  "notify.command": _check_command,
  "notify.email_to": _check_mail,
  "notify.email_from": _check_mail,
  "notify.smtp_server": _check_mail,
  "notify.smtp_security": _check_security,
  "notify.smtp_user": _check_login,
  "notify.smtp_password": _check_login,
  "notify.timeout_s": _check_timeout,
  "notify.retries": _check_retries,
  "tracking.openlineage_url": _check_openlineage_url,
  "tracking.openlineage_key": _check_openlineage_key,
  "tracking.openlineage_namespace": _check_openlineage_namespace,
  "tracking.mlflow_uri": _check_mlflow_uri,
  "tracking.mlflow_token": _check_mlflow_token,
  "tracking.mlflow_experiment": _check_mlflow_names,
  "tracking.mlflow_model": _check_mlflow_names,
  "tracking.prometheus_dir": _check_prometheus_dir,
}


def test_it_tells_somebody(task_name, setting, told, run):
  _CHECKS[setting.key](told, run)
