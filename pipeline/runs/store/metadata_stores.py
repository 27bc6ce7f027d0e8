"""Where a pipeline keeps its metadata: SQLite in the workspace, or a server that a file names.

Whatever of ours reads or writes ML Metadata opens it here, because four things are mended on
the way. Processes that share a SQLite file take turns. A SQLite file names what lies beside it as
`stored_paths` says, so that a workspace can be moved. A transaction that MariaDB wants to be begun
anew is. And to PostgreSQL, ml-metadata 1.16 sends broken SQL for every text that holds a backslash,
as all JSON in JSON does: backslashes are stored as another character and read back as backslashes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import random
import re
import sqlite3
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeAlias

from google.protobuf import json_format, text_format
from google.protobuf.message import Message
from ml_metadata import errors as mlmd_errors
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from dlpipe.causes import LOCKED
from dlpipe.disk import file_locks
from dlpipe.errors import BadInputError, DlpipeError
from pipeline.runs.store.stored_paths import StoredPaths
from pipeline.settings.config import PipelineConfig

ConnectionConfig: TypeAlias = (
  metadata_store_pb2.ConnectionConfig | metadata_store_pb2.MetadataStoreClientConfig
)
# How long to wait for a SQLite file, in seconds. A node of ours may plan its input meanwhile.
_OURS_AFTER_S = 600.0
_OTHERS_AFTER_S = 120.0
# Of Unicode's private use area: no text that a pipeline stores holds it.
_STORED_BACKSLASH = "\ue05c"
# What a connection file must say of each kind of store; of alternatives, one.
_NEEDED = {
  "sqlite": (("filename_uri",),),
  "mysql": (("host", "socket"), ("database",)),
  "postgresql": (("host", "hostaddr"), ("port",), ("user",), ("dbname",)),
  "grpc": (("host",), ("port",)),
}
# What a MySQL server says of a transaction that it has undone; the longest waits before another.
_RESTART = "try restarting transaction"
_RESTART_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
# SQLite's messages about a damaged file.
_DAMAGED = ("file is not a database", "disk image is malformed")


def connection(config: PipelineConfig) -> ConnectionConfig:
  """Returns where a run with this configuration keeps its metadata.

  Raises:
    BadInputError: the connection file cannot be used.
  """
  if config.metadata.connection_file is not None:
    return read_connection(config.metadata.connection_file)
  return sqlite_connection(config.folder.metadata)


def sqlite_connection(path: pathlib.Path) -> metadata_store_pb2.ConnectionConfig:
  """Returns a SQLite file, made if it is missing."""
  return metadata_store_pb2.ConnectionConfig(
    sqlite=metadata_store_pb2.SqliteMetadataSourceConfig(
      filename_uri=str(path),
      connection_mode=metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
    )
  )


def read_connection(path: str) -> ConnectionConfig:
  """Reads ml-metadata's ConnectionConfig, or MetadataStoreClientConfig, as JSON or text proto.

  `${NAME}` stands for the environment variable NAME, so that no password need be in the file.

  Raises:
    BadInputError: the file cannot be read, says neither, or names a variable that is not set.
  """
  try:
    text = pathlib.Path(path).read_text(encoding="utf-8")
  except (OSError, UnicodeDecodeError) as err:
    raise BadInputError(
      f"Cannot read the connection file {path}: {getattr(err, 'strerror', None) or err}."
    ) from err
  parse: Callable[[str, Any], Any] = (
    json_format.Parse if text.lstrip().startswith("{") else text_format.Parse
  )
  reasons = []
  for kind in (metadata_store_pb2.ConnectionConfig, metadata_store_pb2.MetadataStoreClientConfig):
    try:
      found = parse(text, kind())
    except (json_format.ParseError, text_format.ParseError) as err:
      reasons.append(str(err))
      continue
    if kind_of(found) not in ("sqlite", "mysql", "postgresql", "grpc"):
      break
    rewrite_texts(found, lambda value: _expanded(value, path))
    _require_complete(found, path)
    return found
  raise BadInputError(
    f"The connection file {path} must say where a metadata store is, such as\n"
    '  {"postgresql": {"host": "db", "port": "5432", "user": "dlpipe", '
    '"password": "${PGPASSWORD}", "dbname": "mlmd"}}\n'
    '  {"mysql": {"host": "db", "port": 3306, "user": "dlpipe", "password": "${MYSQL_PWD}", '
    '"database": "mlmd"}}' + "".join(f"\nThe reader says: {reason}" for reason in reasons[:1])
  )


def _require_complete(config: ConnectionConfig, path: str) -> None:
  """Raises `BadInputError` for what would abort the process, or keep the metadata nowhere."""
  kind = str(kind_of(config))
  server = config if kind == "grpc" else getattr(config, kind)
  lacking = [
    " or ".join(names)
    for names in _NEEDED[kind]
    if sum(bool(getattr(server, name)) for name in names) != 1
  ]
  if lacking:
    raise BadInputError(
      f"The connection file {path} must say of the {kind} store, once each: {', '.join(lacking)}."
    )


def kind_of(config: ConnectionConfig) -> str | None:
  """Returns the kind of store: sqlite, postgresql, mysql or grpc; None if the file names none."""
  if isinstance(config, metadata_store_pb2.MetadataStoreClientConfig):
    return "grpc"
  return config.WhichOneof("config")


def open_store(config: ConnectionConfig) -> metadata.Metadata:
  """Returns TFX's handle of a metadata store; used as a context manager, as TFX does."""
  return _Metadata(config)


def stored_paths(handle: metadata.Metadata) -> StoredPaths | None:
  """Returns how a store names paths beside it; None if it has no folder or was opened elsewhere."""
  config = handle.connection_config
  if not isinstance(handle, _Metadata) or kind_of(config) != "sqlite":
    return None
  return StoredPaths(os.path.dirname(os.path.abspath(config.sqlite.filename_uri)))


def rewrite_texts(message: Message, rewrite: Callable[[str], str]) -> None:
  """Replaces every string in a message, in place; keys of maps stay."""
  for field, value in message.ListFields():
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
      item = field.message_type.fields_by_name["value"]
      for key in list(value):
        if item.message_type is not None:
          rewrite_texts(value[key], rewrite)
        elif isinstance(value[key], str):
          value[key] = rewrite(value[key])
    elif field.message_type is not None:
      for part in [value] if isinstance(value, Message) else value:
        rewrite_texts(part, rewrite)
    elif field.type == field.TYPE_STRING:
      if isinstance(value, str):
        setattr(message, field.name, rewrite(value))
      else:
        value[:] = [rewrite(text) for text in value]


class _Metadata(metadata.Metadata):
  """A handle that holds a SQLite file's lock while it is open, and translates stored texts."""

  def __enter__(self) -> metadata.Metadata:
    config = self.connection_config
    kind = kind_of(config)
    held = contextlib.ExitStack()
    if kind == "sqlite":
      held.enter_context(_turn(config.sqlite.filename_uri))
    try:
      _restarting(super().__enter__)()
    except BaseException as err:
      held.close()
      if kind == "sqlite" and any(text in str(err) for text in _DAMAGED):
        raise DlpipeError(
          f"{config.sqlite.filename_uri} is damaged, or no SQLite file. Move it away: the next run "
          "makes a new one and does everything once more; what is served stays."
        ) from err
      if kind != "sqlite" and isinstance(err, Exception):
        raise _unreachable(config, err) from err
      raise
    self._turns = [*getattr(self, "_turns", []), held]
    store: Any = self._store
    if kind == "postgresql":
      store._call = _translated(store._call, _without_backslashes, _with_backslashes)
    elif kind == "mysql":
      store._call = _restarting(store._call)
    elif kind == "grpc":
      store._call = _reached(store._call, config)
    elif (paths := stored_paths(self)) is not None:
      store._call = _translated(store._call, paths.stored, paths.found)
    return self

  def __exit__(self, *error: Any) -> None:
    try:
      super().__exit__(*error)
    finally:
      self._turns.pop().close()


def _unreachable(config: ConnectionConfig, err: Exception) -> DlpipeError:
  kind = kind_of(config)
  server = config if kind == "grpc" else getattr(config, str(kind))
  reason = " ".join(str(err).split()).rstrip(".,: ")
  return DlpipeError(
    f"No connection to the metadata store, {kind} at {server.host}:{server.port}: {reason}. Check "
    "that it runs, and what its connection file says of it; then try again."
  )


def _restarting(call: Callable[..., Any]) -> Callable[..., Any]:
  """Repeats a call, which is one transaction, if the server says that another came between.

  ML Metadata repeats what MySQL calls a deadlock. What MariaDB calls a record that has changed,
  by default from 11.6 on (`innodb_snapshot_isolation`), is an internal error to it.
  """

  def restarting(*args: Any) -> Any:
    for most_s in _RESTART_WAITS_S:
      try:
        return call(*args)
      except mlmd_errors.InternalError as err:
        if _RESTART not in str(err):
          raise
      time.sleep(random.uniform(0, most_s))
    return call(*args)

  return restarting


def _reached(call: Callable[..., Any], config: ConnectionConfig) -> Callable[..., Any]:
  """Wraps `MetadataStore._call` of a metadata server, which is connected to by the first call."""

  def reached(*args: Any) -> Any:
    try:
      return call(*args)
    except mlmd_errors.UnavailableError as err:
      raise _unreachable(config, err) from err

  return reached


class _Turn:
  """One SQLite file's lock in this process, and how often it is held."""

  def __init__(self) -> None:
    self.guard = threading.Lock()
    self.holders = 0
    self.file: TextIO | None = None


_turns: dict[str, _Turn] = {}


@contextlib.contextmanager
def _turn(database: str) -> Iterator[None]:
  """Keeps other processes from a SQLite file; threads and nested uses of this one go on."""
  # SQLite itself locks, but ml-metadata gives up on a busy file after a moment, and TFX looks and
  # then writes in two transactions.
  turn = _turns.setdefault(os.path.abspath(database), _Turn())
  with turn.guard:
    if turn.holders == 0:
      pathlib.Path(database).parent.mkdir(parents=True, exist_ok=True)
      file = open(f"{database}.lock", "a+", encoding="utf-8")  # noqa: SIM115 - closed by the last
      try:
        file_locks.wait(lambda: _locked(file), file.name, give_up_after_s=_OURS_AFTER_S)
        # Another program's lock would hold up ml-metadata without end and without a word.
        file_locks.wait(lambda: _is_free(database), database, give_up_after_s=_OTHERS_AFTER_S)
      except BaseException:
        file.close()
        raise
      turn.file = file
    turn.holders += 1
  try:
    yield
  finally:
    with turn.guard:
      turn.holders -= 1
      if turn.holders == 0 and turn.file is not None:
        turn.file.close()
        turn.file = None


def _locked(file: TextIO) -> bool:
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  return True


def _is_free(database: str) -> bool:
  """Returns whether nobody writes to a SQLite file; only while this process has no handle of it.

  Closing a file ends all locks that a process has on it, those of ml-metadata's SQLite, too.
  """
  if not os.path.exists(database):
    return True
  address = f"file:{urllib.parse.quote(os.path.abspath(database))}?mode=rw"
  try:
    with contextlib.closing(
      sqlite3.connect(address, uri=True, timeout=0, isolation_level=None)
    ) as connection:
      connection.execute("BEGIN IMMEDIATE")
      connection.execute("ROLLBACK")
  except sqlite3.Error as err:
    # Whatever else is wrong with it, ml-metadata finds, too.
    return LOCKED not in str(err)
  return True


def _translated(
  call: Callable[..., Any], stored: Callable[[str], str], found: Callable[[str], str]
) -> Callable[..., Any]:
  """Wraps `MetadataStore._call`: texts are stored in one way and given back in another."""

  def translated(method_name: str, request: Message, response: Message, *rest: Any) -> Any:
    rewrite_texts(request, stored)
    result = call(method_name, request, response, *rest)
    rewrite_texts(response, found)
    return result

  return translated


def _without_backslashes(text: str) -> str:
  return text.replace("\\", _STORED_BACKSLASH)


def _with_backslashes(text: str) -> str:
  return text.replace(_STORED_BACKSLASH, "\\")


def _expanded(text: str, path: str) -> str:
  def look_up(match: re.Match[str]) -> str:
    name = match.group(1)
    if name not in os.environ:
      raise BadInputError(
        f"The connection file {path} names the environment variable {name}, which is not set."
      )
    return os.environ[name]

  return re.sub(r"\$\{(\w+)\}", look_up, text)
