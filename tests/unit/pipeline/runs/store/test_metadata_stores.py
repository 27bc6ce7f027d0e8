"""Connection files, turns at a SQLite file, and backslashes kept from PostgreSQL."""

import contextlib
import os
import pathlib
import re
import select
import subprocess
import sys

import pytest
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2
from tfx.orchestration import metadata

from dlpipe.disk import file_locks
from dlpipe.errors import BadInputError, BusyError, DlpipeError
from pipeline.runs.store import metadata_stores

_ROOT = pathlib.Path(__file__).resolve().parents[5]
_TIMEOUT_S = 300
_PASSWORD = "DLPIPE_TEST_PASSWORD"


@pytest.mark.parametrize(
  "text",
  [
    '{"mysql": {"host":"db", "port":3306, "database":"d", "password":"${DLPIPE_TEST_PASSWORD}"}}',
    'mysql { host: "db" port: 3306 database: "d" password: "${DLPIPE_TEST_PASSWORD}" }',
  ],
)
def test_a_connection_file_is_json_or_text_and_takes_the_password_from_outside(
  tmp_path, monkeypatch, text
):
  monkeypatch.setenv(_PASSWORD, "s3\\cret")
  path = tmp_path / "db"
  path.write_text(text)
  found = metadata_stores.read_connection(str(path))
  assert metadata_stores.kind_of(found) == "mysql"
  assert (found.mysql.host, found.mysql.port, found.mysql.password) == ("db", 3306, "s3\\cret")


def test_a_metadata_server_can_be_named_too(tmp_path):
  path = tmp_path / "db"
  path.write_text('{"host": "metadata-grpc-service", "port": 8080}')
  found = metadata_stores.read_connection(str(path))
  assert metadata_stores.kind_of(found) == "grpc"
  assert found.port == 8080


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (None, "Cannot read the connection file .*: No such file"),
    ("{}", "must say where a metadata store is"),
    ('{"fake_database": {}}', "must say where a metadata store is"),
    ('{"oracle": {}}', 'must say where .*\n.*"postgresql": .*\n.*\nThe reader says: .*oracle'),
    ('{"mysql": {"password": "${DLPIPE_TEST_UNSET}"}}', "DLPIPE_TEST_UNSET, which is not set"),
  ],
)
def test_a_connection_file_that_cannot_be_used_is_bad_input(tmp_path, content, message):
  path = tmp_path / "db"
  if content is not None:
    path.write_text(content)
  with pytest.raises(BadInputError, match=message):
    metadata_stores.read_connection(str(path))


_HOLD_STORE = """
import sys
from pipeline.runs.store import metadata_stores
config = metadata_stores.sqlite_connection(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with metadata_stores.open_store(config):
  print("entered", flush=True)
  sys.stdin.read()
"""


def _python(code, path):
  """Starts an interpreter. This process has threads of other tests: no fork of it would be safe."""
  return subprocess.Popen(
    [sys.executable, "-c", code, str(path)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
    env={**os.environ, "PYTHONPATH": str(_ROOT)},
  )


def _enter(process):
  process.stdin.write("go\n")
  process.stdin.flush()


def test_a_second_process_waits_for_its_turn_at_a_sqlite_file(tmp_path):
  path = tmp_path / "new" / "metadata.db"
  with _python(_HOLD_STORE, path) as holder, _python(_HOLD_STORE, path) as waiter:
    assert [each.stdout.readline() for each in (holder, waiter)] == ["ready\n", "ready\n"]
    _enter(holder)
    assert holder.stdout.readline() == "entered\n"
    _enter(waiter)
    assert select.select([waiter.stdout], [], [], 0.3)[0] == []
    holder.stdin.close()
    assert waiter.stdout.readline() == "entered\n"
    waiter.stdin.close()
    assert [each.wait(_TIMEOUT_S) for each in (holder, waiter)] == [0, 0]


def test_one_process_may_open_a_store_twice_and_lets_go_of_it_afterwards(tmp_path):
  config = metadata_stores.sqlite_connection(tmp_path / "metadata.db")
  first, second = metadata_stores.open_store(config), metadata_stores.open_store(config)
  with first as handle, second, first:
    assert handle.store.get_executions() == []
  [turn] = [t for name, t in metadata_stores._turns.items() if name.startswith(str(tmp_path))]
  assert (turn.holders, turn.file) == (0, None)


def test_no_backslash_reaches_the_server_and_every_one_comes_back():
  sent = []

  def call(name, request, response):
    sent.append(str(request))
    response.artifacts.add().CopyFrom(request.artifacts[0])

  mended = metadata_stores._translated(
    call, metadata_stores._without_backslashes, metadata_stores._with_backslashes
  )
  text = 'a \\ in "{\\"json\\": \\"in json\\"}"'
  artifact = metadata_store_pb2.Artifact(uri="C:\\data", id=3)
  artifact.custom_properties["text"].string_value = text
  response = metadata_store_service_pb2.GetArtifactsResponse()
  mended("Put", metadata_store_service_pb2.PutArtifactsRequest(artifacts=[artifact]), response)
  # A text proto shows a backslash as two.
  assert "\\\\" not in sent[0]
  assert response.artifacts[0] == artifact


def test_a_transaction_that_a_server_wants_begun_anew_is(monkeypatch):
  monkeypatch.setattr(metadata_stores, "_RESTART_WAITS_S", (0.0,) * 3)
  changed = "Record has changed since last read in table 'Execution'; try restarting transaction"
  asked = []

  def call(name, *, fails=3, error=changed):
    asked.append(name)
    if len(asked) <= fails:
      raise errors.InternalError(f"mysql_query failed: errno: {error}")
    return "done"

  assert metadata_stores._restarting(call)("get") == "done"
  assert asked == ["get"] * 4
  asked.clear()
  with pytest.raises(errors.InternalError, match="try restarting transaction"):
    metadata_stores._restarting(lambda name: call(name, fails=9))("get")
  asked.clear()
  with pytest.raises(errors.InternalError, match="Table 'x' is gone"):
    metadata_stores._restarting(lambda name: call(name, error="Table 'x' is gone"))("get")
  assert asked == ["get"]


@pytest.mark.parametrize(
  ("text", "lacking"),
  [
    ('{"mysql": {"host": "db"}}', "mysql store, once each: database."),
    ('{"mysql": {"host": "db", "socket": "s", "database": "d"}}', "each: host or socket."),
    ('{"postgresql": {"host": "db"}}', "each: port, user, dbname."),
    ('{"postgresql": {"port": "1", "user": "${EMPTY}", "dbname": "d"}}', "or hostaddr, user."),
    ('{"sqlite": {}}', "sqlite store, once each: filename_uri."),
    ('{"host": "db"}', "grpc store, once each: port."),
  ],
)
def test_a_connection_file_that_would_abort_the_process_is_refused(
  text, lacking, tmp_path, monkeypatch
):
  # ml-metadata's C++ code ends the process where it lacks these, and a SQLite of no name is lost.
  monkeypatch.setenv("EMPTY", "")
  file = tmp_path / "connection.json"
  file.write_text(text)
  with pytest.raises(BadInputError) as refused:
    metadata_stores.read_connection(str(file))
  assert str(refused.value).endswith(lacking)


@pytest.mark.parametrize(
  ("text", "where"),
  [
    (
      '{"mysql": {"host": "127.0.0.1", "port": 1, "database": "d", "password": "hush"}}',
      "mysql at 127.0.0.1:1",
    ),
    (
      'postgresql { host: "127.0.0.1" port: "1" user: "u" password: "hush" dbname: "d" }',
      "postgresql at 127.0.0.1:1",
    ),
    ('{"host": "127.0.0.1", "port": 1}', "grpc at 127.0.0.1:1"),
  ],
)
def test_a_server_that_is_not_there_is_named_with_what_to_do(text, where, tmp_path, monkeypatch):
  monkeypatch.setattr(metadata, "_MAX_INIT_RETRY", 1)
  file = tmp_path / "connection.json"
  file.write_text(text)
  connection = metadata_stores.read_connection(str(file))
  with pytest.raises(DlpipeError) as refused, metadata_stores.open_store(connection) as handle:
    handle.store.get_context_types()
  assert str(refused.value).startswith(f"No connection to the metadata store, {where}: ")
  assert str(refused.value).endswith("says of it; then try again.")
  assert "hush" not in str(refused.value)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path):
  path = tmp_path / "metadata.db"
  path.write_bytes(b"no database" * 1000)
  with pytest.raises(DlpipeError, match=f"{path} is damaged, or no SQLite file. Move it away"):
    metadata_stores.open_store(metadata_stores.sqlite_connection(path)).__enter__()


_HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def _locked_by_another_program(path):
  """Yields its process; ends it afterwards."""
  with _python(_HOLD_LOCK, path) as process:
    assert process.stdout.readline() == "held\n"
    yield process
    process.stdin.close()


@pytest.fixture
def impatient(monkeypatch):
  monkeypatch.setattr(file_locks, "NOTICE_AFTER_S", 0.0)
  monkeypatch.setattr(metadata_stores, "_OTHERS_AFTER_S", 0.3)


def test_who_locks_the_store_is_said_and_that_it_is_worth_trying_again(tmp_path, impatient, capsys):
  path = tmp_path / "metadata.db"
  config = metadata_stores.sqlite_connection(path)
  with _locked_by_another_program(path) as process:
    who = f"{path}.* locked by process {process.pid} \\(.*python"
    with pytest.raises(BusyError, match=f"(?s){who}.*Run again") as caught:
      metadata_stores.open_store(config).__enter__()
    assert caught.value.exit_code == 75
    assert re.search(f"(?s)Waiting for {who}", capsys.readouterr().err)
  with metadata_stores.open_store(config) as handle:
    assert handle.store.get_executions() == []


def test_a_lock_that_ends_in_time_costs_nothing_but_time(tmp_path, monkeypatch, capsys):
  path = tmp_path / "metadata.db"
  with _locked_by_another_program(path) as process:

    def release(*_):
      process.stdin.close()
      process.wait()

    monkeypatch.setattr(file_locks.time, "sleep", release)
    with metadata_stores.open_store(metadata_stores.sqlite_connection(path)) as handle:
      assert handle.store.get_executions() == []
  assert capsys.readouterr().err == ""
