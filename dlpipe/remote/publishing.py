"""Copies a local folder, such as a version of a model, to an address in a store.

An upload is not one step: `saved_model.pb`, without which no server loads a version, comes after
all others, and then the empty file `UPLOADED`, which says that it is whole.
"""

from __future__ import annotations

import io
import os
import pathlib

from dlpipe.remote.stores import failures_of, open_store
from dlpipe.workspace import MODEL_FILE

UPLOADED = "UPLOADED"
_WRITING = "written"
# Written before a run begins, to see that it can; no server takes its name for a version.
_TRIAL = ".writable"


def require_writable(address: str) -> None:
  """Lists the folders at an address, and writes an empty file, `.writable`, there.

  Raises:
    BadInputError: the store refuses these credentials, or there is no such bucket.
    DlpipeError: the connection was lost.
  """
  with failures_of(address, _WRITING):
    store = open_store(address)
    store.folders()
    store.write(_TRIAL, io.BytesIO())


def folders(address: str) -> list[str]:
  """Returns the names of the folders right below an address; none if nothing is there.

  Raises:
    BadInputError, DlpipeError: as `require_writable`.
  """
  with failures_of(address):
    return open_store(address).folders()


def uploaded(address: str, name: str) -> bytes | None:
  """Returns what a file of a folder holds that was uploaded whole; None if none is whole there.

  Args:
    address: the folder.
    name: the file; if the folder has none of this name, the result is empty.

  Raises:
    BadInputError, DlpipeError: as `require_writable`.
  """
  with failures_of(address):
    store = open_store(address)
    kind, items = store.items()
    found = {item.name: item for item in items} if kind == "folder" else {}
    if UPLOADED not in found:
      return None
    if name not in found:
      return b""
    with store.open(found[name]) as stream:
      return stream.read()


def publish(folder: str | os.PathLike[str], address: str) -> None:
  """Copies every file of a folder to an address, `UPLOADED` last.

  Args:
    folder: the version.
    address: where its files are to be, such as `s3://bucket/models/images/3`.

  Raises:
    BadInputError, DlpipeError: as `require_writable`; trying again copies it anew.
  """
  root = pathlib.Path(folder)
  names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
  with failures_of(address, _WRITING):
    store = open_store(address)
    for name in sorted(names, key=lambda each: each == MODEL_FILE):
      with (root / name).open("rb") as content:
        store.write(name, content)
    store.write(UPLOADED, io.BytesIO())
