"""Database servers of the tests' own: made in a temporary folder, on a socket and a free port.

They need the server's programs (Debian: `postgresql`, `mariadb-server`) and are skipped without.
PostgreSQL refuses to run as root, so root starts both as another user.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_START_TIMEOUT_S = 600
# The factory of a fixture: from a database's name to the path of its connection file.
Databases = Callable[[str], pathlib.Path]


@pytest.fixture(scope="session")
def postgresql(free_ports) -> Iterator[Databases]:
  """A PostgreSQL server; makes empty databases."""
  found = [shutil.which("initdb"), *sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))]
  initdb = next((path for path in reversed(found) if path), None)
  if initdb is None:
    pytest.skip("there is no PostgreSQL here; scripts/install-test-servers.sh installs it")
  programs = pathlib.Path(initdb).parent
  with _folder("postgres") as (home, user):
    data, port = home / "data", free_ports(1)[0]
    _run([initdb, "-D", data, "-U", "dlpipe", "-A", "trust", "--no-sync"], user)
    server = [programs / "postgres", "-D", data, "-k", home, "-p", port, "-c", "fsync=off"]
    options = ["-c", "listen_addresses=127.0.0.1"]
    # SIGTERM would wait for clients that are still connected.
    with _serving([*server, *options], user, home, stop=signal.SIGQUIT):
      client = [programs / "psql", "-h", "127.0.0.1", "-p", port, "-U", "dlpipe", "postgres"]
      _until_it_answers([*client, "-c", "select 1"], user)

      def make(name: str) -> pathlib.Path:
        _run([*client, "-c", f"create database {name}"], user)
        return _connection_file(
          home,
          name,
          {
            "postgresql": {
              "host": "127.0.0.1",
              "port": str(port),
              "user": "dlpipe",
              "password": "unused",
              "dbname": name,
            }
          },
        )

      yield make


@pytest.fixture(scope="session")
def mariadb(free_ports) -> Iterator[Databases]:
  """A MariaDB server; makes empty databases."""
  server = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
  install = shutil.which("mariadb-install-db")
  if server is None or install is None:
    pytest.skip("there is no MariaDB here; scripts/install-test-servers.sh installs it")
  with _folder("mysql") as (home, user):
    data, port, address = home / "data", free_ports(1)[0], home / "server.sock"
    # Its user may not be able to write to TMPDIR.
    places = ["--no-defaults", f"--datadir={data}", f"--tmpdir={home}"]
    _run([install, *places, "--auth-root-authentication-method=normal"], user)
    command = [server, *places, f"--socket={address}"]
    options = [f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={home / 'pid'}"]
    # The default from 11.6 on: a row that another changed ends a transaction with an error.
    options.append("--loose-innodb-snapshot-isolation=ON")
    with _serving([*command, *options], user, home, stop=signal.SIGKILL):
      client = ["mariadb", "--no-defaults", f"--socket={address}", "-u", "root", "-e"]
      _until_it_answers([*client, "select 1"], user)
      # At localhost, the nameless user of a new server would come before one of any host.
      _run([*client, "create user dlpipe@localhost identified by 'secret'"], user)

      def make(name: str) -> pathlib.Path:
        _run([*client, f"create database {name}; grant all on {name}.* to dlpipe@localhost"], user)
        return _connection_file(
          home,
          name,
          {
            "mysql": {
              "host": "127.0.0.1",
              "port": port,
              "user": "dlpipe",
              "password": "secret",
              "database": name,
            }
          },
        )

      yield make


def _connection_file(home: pathlib.Path, name: str, content: dict[str, Any]) -> pathlib.Path:
  path = home / f"{name}.json"
  path.write_text(json.dumps(content))
  return path


@contextlib.contextmanager
def _folder(preferred: str) -> Iterator[tuple[pathlib.Path, str | None]]:
  """A folder, and the user whose it is: this one, or another where this is root."""
  user = None
  if os.geteuid() == 0:
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = preferred if preferred in known else "nobody"
  # Not in pytest's own folder, which no other user can enter.
  home = pathlib.Path(tempfile.mkdtemp(prefix="dlpipe-db-"))
  try:
    if user is not None:
      shutil.chown(home, user)
    yield home, user
  finally:
    shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _serving(
  command: list[Any], user: str | None, home: pathlib.Path, *, stop: signal.Signals
) -> Iterator[None]:
  with (home / "server.log").open("wb") as log:
    process = subprocess.Popen(
      list(map(str, command)), user=user, cwd=home, stdout=log, stderr=subprocess.STDOUT
    )
    try:
      yield
    finally:
      process.send_signal(stop)
      process.wait(timeout=_START_TIMEOUT_S)


def _run(command: list[Any], user: str | None) -> None:
  done = subprocess.run(
    list(map(str, command)), user=user, cwd="/", capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _until_it_answers(command: list[Any], user: str | None) -> None:
  deadline = time.monotonic() + _START_TIMEOUT_S
  while True:
    done = subprocess.run(
      list(map(str, command)), user=user, cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
      return
    assert time.monotonic() < deadline, f"the server did not answer: {done.stderr}"
    time.sleep(0.1)
