"""Opens what an address names: S3, Google's storage and HDFS by pyarrow, web servers by urllib.

Every failure becomes one sentence. What the user must mend (credentials, a wrong name) is a
`BadInputError`, and what may pass (a lost connection) a `DlpipeError`, which may be tried again.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import urllib.error
from collections.abc import Iterator
from typing import IO, Any

from dlpipe.causes import is_full
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote.addresses import rest_of, scheme_of
from dlpipe.remote.items import Item, Store
from dlpipe.remote.web import WebFile

_CONNECT_S, _REQUEST_S = 10, 60
_ATTEMPTS = 5  # some ten seconds; by default it would be 10, and most of a minute
_GCS_RETRY_S = 20
# Answers of a web server that another try may change, beside those of a server in trouble (5xx).
_PASSING = (408, 421, 425, 429)
_CREDENTIALS = {
  "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws, or the machine's role; "
  "AWS_ENDPOINT_URL for a server that is not Amazon's",
  "gs": "GOOGLE_APPLICATION_CREDENTIALS, or the machine's account",
  "hdfs": "the Hadoop configuration in HADOOP_CONF_DIR",
}
_REFUSED = re.compile(
  r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT|InvalidAccessKeyId|SignatureDoesNotMatch|"
  r"INVALID_SIGNATURE|EXPIRED_TOKEN|ExpiredToken|UNRECOGNIZED_CLIENT|InvalidToken|AuthFailure|"
  r"MISSING_AUTHENTICATION|PERMISSION_DENIED|UNAUTHENTICATED|HTTP (response code|status) 40[13]|"
  r"determine credentials|access token|Permission denied",
  re.IGNORECASE,
)
_IN_TROUBLE = re.compile(r"HTTP (?:response code|status) 5\d\d", re.IGNORECASE)
_NO_BUCKET = re.compile(r"NO_SUCH_BUCKET|NoSuchBucket|bucket.*(not exist|not found)", re.IGNORECASE)
_NO_TRUST = re.compile(r"certificate verify failed|curlCode: (51|60|77)\b", re.IGNORECASE)
_NO_HADOOP = re.compile(r"libhdfs|libjvm|JVM|CLASSPATH", re.IGNORECASE)


def open_store(address: str) -> Store:
  """Returns the store of an address; `failures_of` must be around what it does.

  Raises:
    BadInputError: the address names no bucket, host or file.
  """
  scheme = scheme_of(address)
  if scheme in ("http", "https"):
    return WebFile(address)
  path = rest_of(address)
  if not path or (path.startswith("/") and scheme != "hdfs"):
    raise BadInputError(f"{address!r} names no bucket; {scheme}://BUCKET/FOLDER does.")
  return _Filesystem(address)


@contextlib.contextmanager
def failures_of(address: str, doing: str = "read") -> Iterator[None]:
  """Turns every failure of a store into a sentence.

  Args:
    address: what was asked for.
    doing: what was done to it, such as "read".

  Raises:
    BadInputError: the user must mend it: credentials, a name, a program that is missing.
    DlpipeError: it may pass: a lost connection, an answer that makes no sense.
  """
  try:
    yield
  except (OSError, ValueError, http.client.HTTPException) as err:
    is_of_web = isinstance(err, urllib.error.HTTPError)
    if is_full(err) or (getattr(err, "filename", None) and not is_of_web):
      raise  # of the copy on this machine
    raise _explained(address, doing, err) from err


def _explained(address: str, doing: str, error: Exception) -> DlpipeError:
  scheme = scheme_of(address) or ""
  said = " ".join(str(error).split())
  if isinstance(error, urllib.error.HTTPError):
    reason = " ".join(str(error.reason).split())
    stays = error.code < 500 and error.code not in _PASSING
    return (BadInputError if stays else DlpipeError)(
      f"{address} cannot be {doing}: the server says {error.code} {reason}."
    )
  if _NO_TRUST.search(said):
    return BadInputError(
      f"{address} cannot be {doing}: this machine does not trust the server's certificate. If it "
      f"should, name the authority's file in SSL_CERT_FILE. It says: {_brief(said)}"
    )
  if scheme == "hdfs" and _NO_HADOOP.search(said):
    return BadInputError(
      f"{address} cannot be {doing}: hdfs:// needs Java and Hadoop's libhdfs on this machine "
      "(JAVA_HOME, HADOOP_HOME, CLASSPATH). Install them, or copy the files here."
    )
  if _REFUSED.search(said):
    return BadInputError(
      f"{address} cannot be {doing}: the store refuses these credentials, or there are none. It "
      f"takes {_CREDENTIALS.get(scheme, 'those of its server')}. It says: {_brief(said)}"
    )
  if _NO_BUCKET.search(said):
    return BadInputError(f"{address} cannot be {doing}: there is no such bucket. Check its name.")
  if _IN_TROUBLE.search(said):
    # Some servers that speak S3 answer so to a request without credentials, too.
    return DlpipeError(
      f"{address} cannot be {doing}: the store answers that it is in trouble. Run again later; "
      "what was copied stays. If it goes on, look at its credentials: it takes "
      f"{_CREDENTIALS.get(scheme, 'those of its server')}. It says: {_brief(said)}"
    )
  return DlpipeError(
    f"{address} cannot be {doing}: the connection failed, or was lost. Run again when the store "
    f"answers; what was copied stays. It says: {_brief(said)}"
  )


def _brief(said: str) -> str:
  return said if len(said) <= 200 else f"{said[:200]}..."


class _Filesystem(Store):
  """A folder, a file or a prefix in a store that pyarrow knows."""

  def __init__(self, address: str):
    self._address = address
    self._path = rest_of(address)
    self._files: Any = None

  def items(self) -> tuple[str, list[Item]]:
    from pyarrow import fs

    files = self._opened()
    [found] = files.get_file_info([self._path])
    if found.type == fs.FileType.File:
      return "file", [self._item(found, found.base_name)]
    if found.type == fs.FileType.Directory:
      below = files.get_file_info(fs.FileSelector(self._path, recursive=True))
      return "folder", self._listed(below, self._path)
    parent, _, start = self._path.rpartition("/")
    if not parent:
      return "folder", []
    beside = files.get_file_info(fs.FileSelector(parent, allow_not_found=True))
    return "prefix", self._listed(
      [each for each in beside if each.base_name.startswith(f"{start}.")], parent
    )

  def open(self, item: Item) -> contextlib.AbstractContextManager[IO[bytes]]:
    stream: contextlib.AbstractContextManager[IO[bytes]] = self._opened().open_input_stream(
      item.source, compression=None
    )
    return stream

  def folders(self) -> list[str]:
    from pyarrow import fs

    found = self._opened().get_file_info(fs.FileSelector(self._path, allow_not_found=True))
    return sorted(each.base_name for each in found if each.type == fs.FileType.Directory)

  def write(self, name: str, content: IO[bytes]) -> None:
    target = f"{self._path}/{name}"
    self._opened().create_dir(target.rpartition("/")[0], recursive=True)
    with content as file, self._opened().open_output_stream(target) as stream:
      while block := file.read(1 << 20):
        stream.write(block)

  def _listed(self, found: list[Any], root: str) -> list[Item]:
    from pyarrow import fs

    items = [
      self._item(each, each.path.removeprefix(root).lstrip("/"))
      for each in found
      if each.type == fs.FileType.File and not each.path.endswith("/")
    ]
    return sorted(items, key=lambda item: item.name)

  def _item(self, found: Any, name: str) -> Item:
    changed = (found.mtime_ns or 0) / 1e9
    return Item(name=name, size=found.size, changed=changed, source=found.path)

  def _opened(self) -> Any:
    if self._files is None:
      self._files = _filesystem(self._address)
    return self._files


def _filesystem(address: str) -> Any:
  """Returns pyarrow's file system for an address."""
  from pyarrow import fs

  scheme = scheme_of(address)
  if scheme == "gs":
    import datetime

    limit = datetime.timedelta(seconds=_GCS_RETRY_S)
    own, _, host = os.environ.get("STORAGE_EMULATOR_HOST", "").rpartition("://")
    if host:  # as in Google's own clients: a server for tests, without credentials
      return fs.GcsFileSystem(
        anonymous=True, scheme=own or "http", endpoint_override=host, retry_time_limit=limit
      )
    return fs.GcsFileSystem(retry_time_limit=limit)
  if scheme == "hdfs":
    return fs.FileSystem.from_uri(address)[0]
  endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
  region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
  at: dict[str, str] = {}
  if endpoint:
    own, _, host = endpoint.rpartition("://")
    at = {"endpoint_override": host.rstrip("/"), "scheme": own or "https"}
  elif region is None:
    region = fs.resolve_s3_region(rest_of(address).partition("/")[0])
  return fs.S3FileSystem(
    region=region,
    connect_timeout=_CONNECT_S,
    request_timeout=_REQUEST_S,
    retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    background_writes=False,
    **at,
  )
