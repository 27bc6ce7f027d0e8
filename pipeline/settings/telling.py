"""The sections `notify` and `tracking`: who is told of a run's end, people and other programs.

A secret is given by reference, so that no configuration, record or log holds it.
"""

from __future__ import annotations

import os
import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

import pydantic

from dlpipe.errors import BadInputError
from pipeline.params import Section

Event = Literal["pushed", "refused", "failed", "drift"]
PUSHED, REFUSED, FAILED, DRIFT = get_args(Event)
_REFERENCE = re.compile(r"(env):([A-Za-z_][A-Za-z0-9_]*)|(file):(.+)", re.DOTALL)
_SERVER = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")
_HTTP = re.compile(r"https?://[^\s/@?#]+(/[^\s@?#]*)?")
SECRETS = ("webhook", "webhook_token", "smtp_password", "openlineage_key", "mlflow_token")


class _Telling(Section):
  """A section with secrets, which are references: `env:NAME` or `file:PATH`."""

  NAME: ClassVar[str]

  @pydantic.field_validator("*", mode="before")
  @classmethod
  def _is_reference(cls, given: Any, info: pydantic.ValidationInfo) -> Any:
    if info.field_name not in SECRETS or given is None:
      return given
    if not isinstance(given, str) or _REFERENCE.fullmatch(given) is None:
      # The value may be the secret itself, so the message does not repeat it.
      raise BadInputError(
        f"{cls.NAME}.{info.field_name} is a secret: give env:NAME, a variable of the environment, "
        "or file:PATH, a file that holds it. Received something else, which is not shown."
      )
    return given


class NotifyConfig(_Telling):
  """Who is told that a run pushed, refused or failed; docs/operations.md has examples."""

  NAME = "notify"

  events: tuple[Event, ...] = pydantic.Field(
    (PUSHED, REFUSED, FAILED, DRIFT),
    min_length=1,
    description="what is told: that a run `pushed`, `refused` or `failed`, or that its data or "
    "answers drift (`drift`)",
  )
  webhook: str | None = pydantic.Field(
    None,
    description="a secret, as `env:NAME` or `file:PATH`: the http(s) address to which JSON is "
    "posted, such as that of a Slack channel",
  )
  webhook_token: str | None = pydantic.Field(
    None,
    description="a secret, as `env:NAME` or `file:PATH`: the bearer token that goes with it",
  )
  command: str | None = pydantic.Field(
    None,
    description="a program with its arguments, which gets the same JSON on stdin; it is run by no "
    "shell",
  )
  email_to: tuple[str, ...] = pydantic.Field((), description="addresses that get an e-mail")
  email_from: str | None = pydantic.Field(None, description="the address that it comes from")
  smtp_server: str | None = pydantic.Field(
    None, description="the mail server, as `host:port`, such as `mail.example.com:587`"
  )
  smtp_security: Literal["starttls", "tls", "none"] = pydantic.Field(
    "starttls",
    description="`starttls` after the first words, `tls` from the first byte, or `none`, which no "
    "password goes over",
  )
  smtp_user: str | None = pydantic.Field(None, description="the name to log in with; null does not")
  smtp_password: str | None = pydantic.Field(
    None, description="a secret, as `env:NAME` or `file:PATH`: the password of `smtp_user`"
  )
  timeout_s: float = pydantic.Field(
    10.0, gt=0, le=300, description="seconds until a try of one of them counts as failed"
  )
  retries: int = pydantic.Field(
    3,
    ge=0,
    le=10,
    description="how often the webhook and the mail server are tried again, after 1, 2, 4 and more "
    "seconds",
  )

  @property
  def is_set(self) -> bool:
    """Whether anybody is told."""
    return self.webhook is not None or self.command is not None or bool(self.email_to)

  @property
  def smtp_address(self) -> tuple[str, int]:
    """The mail server's host and port."""
    host, _, port = (self.smtp_server or "").rpartition(":")
    return host.strip("[]"), int(port)

  def faults(self) -> Mapping[str, str]:
    """Returns, by name, what is wrong or missing given the other settings."""
    found: dict[str, str] = {}
    if self.command is not None and not _words(self.command):
      found["command"] = "must be a program with its arguments, quoted as for a shell"
    for address in (*self.email_to, *([self.email_from] if self.email_from else [])):
      if _ADDRESS.fullmatch(address) is None:
        found["email_to" if address in self.email_to else "email_from"] = (
          f"must be a plain address, such as ml@example.com. Received: {address!r}"
        )
    if self.smtp_server is not None and not _is_server(self.smtp_server):
      found["smtp_server"] = (
        f"must be host:port, such as mail.example.com:587. Received: {self.smtp_server!r}"
      )
    if self.email_to:
      for name in ("email_from", "smtp_server"):
        if getattr(self, name) is None:
          found[name] = "must be set, too, for an e-mail to notify.email_to"
    if (self.smtp_user is None) != (self.smtp_password is None):
      missing = "smtp_user" if self.smtp_user is None else "smtp_password"
      found[missing] = "must be set, too: a mail server asks for a name and a password"
    if self.smtp_password is not None and self.smtp_security == "none":
      found["smtp_security"] = "must be starttls or tls: with none the password would go in clear"
    return found

  def unread(self) -> Mapping[str, str]:
    """Returns settings that have no effect given the others, each with advice for the user."""
    found: dict[str, str] = {}
    if not self.email_to:
      advice = "is for e-mails. Set notify.email_to, too, or leave it out"
      names = (name for name in type(self).model_fields if name.startswith("smtp_"))
      found |= dict.fromkeys(("email_from", *names), advice)
    if self.webhook is None:
      found["webhook_token"] = "is for a webhook. Set notify.webhook, too, or leave it out"
    if self.webhook is None and not self.email_to:
      found["retries"] = "is for a webhook and for e-mails. Set one, or leave it out"
    if not self.is_set:
      advice = "tells nobody. Set notify.webhook, notify.command or notify.email_to, too"
      found |= dict.fromkeys(("events", "timeout_s"), advice)
    return found


class TrackingConfig(_Telling):
  """Programs that keep records of runs."""

  NAME = "tracking"

  openlineage_url: str | None = pydantic.Field(
    None,
    description="the http(s) address of an OpenLineage backend, such as Marquez, that gets an "
    "event when a run ends",
  )
  openlineage_key: str | None = pydantic.Field(
    None, description="a secret, as `env:NAME` or `file:PATH`: the API key that goes with it"
  )
  openlineage_namespace: str = pydantic.Field(
    "dlpipe", min_length=1, description="the namespace of the job, which is named after the task"
  )
  mlflow_uri: str | None = pydantic.Field(
    None,
    description="MLflow's tracking URI, such as `http://mlflow:5000` or `sqlite:////data/mlflow.db`:"
    " a run's settings, metrics and report go there",
  )
  mlflow_token: str | None = pydantic.Field(
    None, description="a secret, as `env:NAME` or `file:PATH`: the bearer token of MLflow's server"
  )
  mlflow_experiment: str | None = pydantic.Field(
    None, description="the experiment; null is `dlpipe/` and the task's name"
  )
  mlflow_model: str | None = pydantic.Field(
    None,
    description="the registered model whose versions are those that were pushed, with the aliases "
    "`stable` and `candidate`; null registers none",
  )
  prometheus_dir: str | None = pydantic.Field(
    None,
    description="the folder of node_exporter's textfile collector: `dlpipe_<task>.prom` there has "
    "the numbers of the latest run",
  )

  def faults(self) -> Mapping[str, str]:
    """Returns, by name, what is wrong given the other settings."""
    found: dict[str, str] = {}
    if self.openlineage_url is not None and _HTTP.fullmatch(self.openlineage_url) is None:
      found["openlineage_url"] = (
        "must be an address such as http://marquez:5000, without a user, a password or a query: "
        "tracking.openlineage_key takes a secret"
      )
    if self.mlflow_uri is not None and (
      "@" in self.mlflow_uri or not re.match(r"[a-z+]+:/", self.mlflow_uri)
    ):
      found["mlflow_uri"] = (
        "must be a URI such as http://mlflow:5000 or sqlite:////data/mlflow.db, without a user "
        "or a password: tracking.mlflow_token takes a secret"
      )
    return found

  def unread(self) -> Mapping[str, str]:
    """Returns settings that have no effect given the others, each with advice for the user."""
    found: dict[str, str] = {}
    for program, main in (("openlineage", "openlineage_url"), ("mlflow", "mlflow_uri")):
      if getattr(self, main) is None:
        names = (name for name in type(self).model_fields if name.startswith(f"{program}_"))
        advice = f"is for tracking.{main}, which is not set. Set it, too, or leave this out"
        found |= {name: advice for name in names if name != main}
    return found


def secret(section: str, name: str, reference: str, environ: Mapping[str, str]) -> str:
  """Returns the secret that a reference names.

  Args:
    section: the section of the setting, for the message.
    name: the name of the setting.
    reference: `env:NAME` or `file:PATH`.
    environ: the environment.

  Raises:
    BadInputError: there is no such variable or file, or it is empty.
  """
  kind, _, place = reference.partition(":")
  if kind == "env":
    found = environ.get(place, "").strip()
    what = f"the variable {place} of the environment, which is not set or empty"
  else:
    try:
      found = pathlib.Path(os.path.expanduser(place)).read_text(encoding="utf-8").strip()
      what = f"the file {place!r}, which is empty"
    except (OSError, ValueError) as err:
      raise BadInputError(
        f"{section}.{name} is in the file {place!r}, which cannot be read: "
        f"{getattr(err, 'strerror', None) or 'it is no text'}."
      ) from err
  if not found or "\n" in found or "\r" in found:
    what = what if not found else f"{place!r}, which has several lines"
    raise BadInputError(f"{section}.{name} is in {what}.")
  return found


def _is_server(address: str) -> bool:
  found = _SERVER.fullmatch(address)
  return found is not None and 0 < int(found[2]) < 65536


def _words(command: str) -> list[str]:
  try:
    return shlex.split(command)
  except ValueError:  # a quote that is not closed
    return []
