"""An Airflow of the tests' own: real processes, LocalExecutor, a database on the tests' PostgreSQL.

`DLPIPE_TEST_AIRFLOW` names Airflow's environment, as scripts/test-airflow.sh makes it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

_REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
# A run takes a minute where nothing else is at work, and ten where much is.
_TIMEOUT_S = 1800
_QUERY = """
import json, os, sys
import psycopg2
with psycopg2.connect(os.environ["DATABASE"]) as connection, connection.cursor() as cursor:
  cursor.execute(sys.argv[1], sys.argv[2:])
  print(json.dumps(cursor.fetchall(), default=str))
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Airflow:
  """A running Airflow.

  Attributes:
    programs: the folder of its environment's programs.
    home: AIRFLOW_HOME.
    environment: what its processes run with.
  """

  programs: pathlib.Path
  home: pathlib.Path
  environment: Mapping[str, str]

  def command(self, *arguments: str) -> str:
    """Runs `airflow` and returns what it prints."""
    return _output([self.programs / "airflow", *arguments], self.environment)

  def query(self, statement: str, *values: str) -> list[list[object]]:
    """The rows that Airflow's database answers with."""
    command = [self.programs / "python", "-c", _QUERY, statement, *values]
    return json.loads(_output(command, self.environment))

  def run_of(self, dag_id: str, day: str) -> str:
    """The name of the scheduled run of a day, as soon as there is one."""
    statement = (
      "select run_id from dag_run where dag_id = %s and run_type = 'scheduled' "
      "and data_interval_start = %s"
    )
    found: list[list[object]] = []

    def look() -> bool:
      found[:] = self.query(statement, dag_id, f"{day}T00:00:00+00:00")
      return bool(found)

    _until(look, f"{dag_id} was not run for {day}")
    return str(found[0][0])

  def trigger(self, dag_id: str, run_id: str, **parameters: object) -> None:
    """Starts a run, as soon as Airflow has read the DAG."""
    _until(
      lambda: self.query("select 1 from dag where dag_id = %s", dag_id), "the DAG was not found"
    )
    given = {name.replace("_", "-"): value for name, value in parameters.items()}
    self.command("dags", "trigger", "--run-id", run_id, "--conf", json.dumps(given), dag_id)

  def backfill(self, dag_id: str, first: str, last: str) -> None:
    """Runs all days from one to another once more, or lets the scheduler do so."""
    if self.is_3:
      days = ("--from-date", first, "--to-date", last)
      again = ("--reprocess-behavior", "completed")
      self.command("backfill", "create", "--dag-id", dag_id, *days, *again)
    else:
      again = ("--yes", "--reset-dagruns")
      self.command("dags", "backfill", *again, "-s", first, "-e", last, dag_id)

  @functools.cached_property
  def is_3(self) -> bool:
    return self.command("version").strip().startswith("3.")

  def run_state(self, run_id: str) -> str | None:
    """The state of a run; None before it is there."""
    found = self.query("select state from dag_run where run_id = %s", run_id)
    return str(found[0][0]) if found else None

  def until_it_ends(self, run_id: str) -> str:
    """Waits for a run, and returns how it ended."""
    _until(lambda: self.run_state(run_id) in ("success", "failed"), f"{run_id} runs on")
    return str(self.run_state(run_id))

  def until_task_is(self, run_id: str, task_id: str, state: str | None) -> None:
    """Waits until a task of a run is there, in a state; None for one that was not scheduled."""
    statement = "select state from task_instance where run_id = %s and task_id = %s"
    _until(
      lambda: self.query(statement, run_id, task_id) == [[state]],
      f"{task_id} of {run_id} was never {state}",
    )

  def tasks(self, run_id: str) -> dict[str, tuple[str, int]]:
    """Task to its state and how often it was tried."""
    rows = self.query(
      "select task_id, state, try_number from task_instance where run_id = %s", run_id
    )
    return {str(task): (str(state), int(str(tries))) for task, state, tries in rows}

  def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
    """What Airflow's UI shows of one try."""
    folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
    text = (folder / f"attempt={attempt}.log").read_text(encoding="utf-8")
    return "\n".join(map(_shown, text.splitlines()))


def _shown(line: str) -> str:
  """A line of a log; those of Airflow 3 are JSON."""
  if not line.startswith("{"):
    return line
  record = json.loads(line)
  errors = [error["exc_value"] for error in record.get("error_detail") or ()]
  return " ".join([str(record["event"]), *errors])


@pytest.fixture(scope="session")
def airflow_programs() -> pathlib.Path:
  """The folder of Airflow's programs."""
  named = os.environ.get("DLPIPE_TEST_AIRFLOW")
  if not named:
    pytest.skip("no Airflow: `make test-airflow` makes its environment and runs these tests")
  programs = pathlib.Path(named).resolve() / "bin"
  assert (programs / "airflow").exists(), f"DLPIPE_TEST_AIRFLOW={named} has no Airflow"
  return programs


@pytest.fixture(scope="session")
def start_airflow(airflow_programs, postgresql, free_ports, tmp_path_factory):
  """Returns a context manager: an Airflow that reads the DAGs of one folder."""

  @contextlib.contextmanager
  def start(dags: pathlib.Path, **environment: str) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    server = json.loads(postgresql(f"airflow_{os.getpid()}").read_text())["postgresql"]
    address = "{user}:{password}@{host}:{port}/{dbname}".format(**server)
    [port] = free_ports(1)
    settings = {
      "CORE__EXECUTOR": "LocalExecutor",
      "CORE__DAGS_FOLDER": str(dags),
      "CORE__LOAD_EXAMPLES": "False",
      # DAG files appear while the tests run.
      "SCHEDULER__DAG_DIR_LIST_INTERVAL": "2",
      "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
      "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
      # A file that is there does not change; reading it takes a process each time.
      "SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "120",
      "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
      "CORE__PARALLELISM": "4",
      "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "2",
      "TRIGGERER__JOB_HEARTBEAT_SEC": "10",
      "USAGE_DATA_COLLECTION__ENABLED": "False",
      "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}",
      # Airflow 3 only: its tasks talk to its server, not to its database.
      "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
      "API_AUTH__JWT_SECRET": "a-secret-of-the-tests-as-long-as-it-must-be",
    }
    airflow = Airflow(
      programs=airflow_programs,
      home=home,
      environment={
        **{k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW_")},
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_HOME": str(home),
        "DATABASE": f"postgresql://{address}",
        # Airflow starts its own programs by name.
        "PATH": f"{airflow_programs}{os.pathsep}{os.environ['PATH']}",
        **environment,
      },
    )
    airflow.command("db", "migrate")
    commands = [["scheduler"], ["triggerer"]]
    if airflow.is_3:
      commands += [["dag-processor"], ["api-server", "--port", str(port), "--workers", "1"]]
    with contextlib.ExitStack() as stack:
      for command in commands:
        log = home / f"{command[0]}.log"
        program = [str(airflow_programs / "airflow"), *command]
        stack.enter_context(_process(program, airflow.environment, log))
      yield airflow

  return start


@pytest.fixture(scope="session")
def node_python(tmp_path_factory) -> pathlib.Path:
  """A Python for nodes that imports these sources, wherever they are."""
  path = tmp_path_factory.mktemp("python") / "python"
  path.write_text(f'#!/bin/sh\nPYTHONPATH={_REPOSITORY} exec {sys.executable} "$@"\n')
  path.chmod(0o755)
  return path


@pytest.fixture(scope="session")
def worker(node_python, tmp_path_factory) -> Iterator[str]:
  """The socket of a worker that keeps TFX loaded."""
  home = tmp_path_factory.mktemp("worker")
  address = home / "worker.sock"
  command = [str(node_python), "-m", "pipeline.cli.main", "worker", "--address", str(address)]
  with _process(command, os.environ, home / "worker.log"):
    _until(address.is_socket, "the worker did not start")
    yield str(address)


@pytest.fixture(scope="session")
def process_at_work() -> Callable[[pathlib.Path, str, str], int]:
  """Returns a function that waits until a node is at work, and returns its process."""

  def find(artifacts: pathlib.Path, run_id: str, node_id: str) -> int:
    # A node holds this file open, whoever started it.
    held = artifacts / ".running" / urllib.parse.quote(f"{run_id} {node_id}", safe=" :+")
    found: list[int] = []

    def look() -> bool:
      if held.exists():
        found[:] = [process for process in _processes() if str(held) in _open_files(process)]
      return bool(found)

    _until(look, f"{node_id} did not start", pause_s=0.1)
    return found[0]

  return find


def _processes() -> list[int]:
  return [int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()]


def _open_files(process: int) -> list[str]:
  found = []
  with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/fd") as entries:
    for entry in entries:
      with contextlib.suppress(OSError):  # closed meanwhile
        found.append(os.readlink(entry.path))
  return found


@contextlib.contextmanager
def _process(
  command: Sequence[str], environment: Mapping[str, str], log: pathlib.Path
) -> Iterator[None]:
  with log.open("wb") as file:
    process = subprocess.Popen(
      command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
    )
  try:
    yield
  finally:
    process.terminate()
    try:
      process.wait(timeout=30)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()


def _output(command: Sequence[str | os.PathLike[str]], environment: Mapping[str, str]) -> str:
  done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
  assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
  return done.stdout


# A look at the database takes a process, a tenth of a second of CPU.
def _until(holds: Callable[[], object], otherwise: str, pause_s: float = 3) -> None:
  deadline = time.monotonic() + _TIMEOUT_S
  while not holds():
    assert time.monotonic() < deadline, otherwise
    time.sleep(pause_s)
