"""Defines the section `airflow` of a configuration."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pydantic
import pydantic_core

from dlpipe import nodes
from pipeline.orchestrators.airflow import schedules
from pipeline.settings.orchestrators import OrchestratorSection


class AirflowSection(OrchestratorSection):
  """Settings of the DAG; paths are those on Airflow's workers."""

  name = "airflow"
  suffix = ".py"
  help = "a DAG file with the IR beside it"
  template_mark = "{{"

  dag_id: str | None = pydantic.Field(
    None,
    description="the DAG's name; null takes the name of the file, `images` for `dags/images.py`",
  )
  schedule: str | None = pydantic.Field(
    None,
    description="`@daily` and the like, in YAML with or without quotes, or five fields of cron; "
    "null starts a run only when told to",
  )
  start_date: datetime.date = pydantic.Field(
    datetime.date(2024, 1, 1),
    description="what the schedule counts from; what is past is made up for only with `catchup`",
  )
  catchup: bool = pydantic.Field(
    False,
    description="whether runs of the schedule since `start_date` that are past are made up for, "
    "the oldest first, one after another",
  )
  depends_on_past: bool = pydantic.Field(
    False, description="whether a run begins only when the one before it has succeeded"
  )
  wait_for: str | None = pydantic.Field(
    None,
    description="a path that a run waits for before it begins, such as `/inbox/{{ ds }}/_SUCCESS`, "
    "deferred by Airflow's triggerer; null waits for nothing",
  )
  wait_every_s: float = pydantic.Field(300, gt=0, description="seconds between two looks for it")
  wait_timeout_s: float = pydantic.Field(
    86400, gt=0, description="seconds after which the run fails because it is not there"
  )
  on_failure: str | None = pydantic.Field(
    None,
    description="a command of the shell, run where the last task ran when a run has failed; "
    "`DLPIPE_RUN` and `DLPIPE_ERROR` in its environment say which and why; null for none",
  )
  retries: int = pydantic.Field(
    2,
    ge=0,
    description="how often a failed node is tried again; refused data, a refused model and "
    "bad input never are",
  )
  retry_delay_s: float = pydantic.Field(30, ge=0, description="seconds before it is")
  timeout_s: float | None = pydantic.Field(
    None,
    gt=0,
    description="seconds after which a node is ended and counts as failed; null for no end",
  )
  pool: str | None = pydantic.Field(
    None,
    description="the pool of the nodes in `pool_nodes`, which must exist in Airflow; null "
    "takes Airflow's `default_pool`",
  )
  pool_nodes: list[str] = pydantic.Field(
    [node.id for node in nodes.ALL if node.is_heavy], description="the heavy nodes"
  )
  python: str | None = pydantic.Field(
    None, description="the Python that dlpipe is installed in; null takes the one that compiles"
  )
  worker: str | None = pydantic.Field(
    None,
    description="the socket of a `dlpipe worker` that keeps TFX loaded; null starts each node cold",
  )

  @pydantic.field_validator("schedule")
  @classmethod
  def _is_schedule(cls, schedule: str | None) -> str | None:
    if schedule is not None and (fault := schedules.fault(schedule)):
      raise pydantic_core.PydanticCustomError("schedule", "{reason}", {"reason": fault})
    return schedule

  def unread(self) -> Mapping[str, str]:
    """Returns settings for a pool, retries, a path or a schedule that is not there."""
    found = {}
    if self.pool is None:
      found["pool_nodes"] = "is for a pool, and there is none. Set airflow.pool, too"
    if not self.retries:
      found["retry_delay_s"] = "is for retries, and airflow.retries is 0. Leave it out"
    if self.wait_for is None:
      for name in ("wait_every_s", "wait_timeout_s"):
        found[name] = "is for a path to wait for, and there is none. Set airflow.wait_for, too"
    if self.schedule is None and self.catchup:
      found["catchup"] = "is for a schedule, and there is none. Set airflow.schedule, too"
    return found


SECTION = AirflowSection
