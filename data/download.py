"""Downloads one file over HTTP; resumes after a failure and verifies a published checksum.

Received bytes go to `<target>.part`; `<target>.part.json` identifies the file on the server. A
later call requests the missing bytes. The file gets its final name after its size and checksum
have been verified. Called by `data.fetch`; imports only the standard library.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import pathlib
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

OnBytes = Callable[[int, "int | None"], None]

_CHUNK_BYTES = 1 << 18
_TRANSIENT_CODES = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 60.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DownloadError(Exception):
  """The file cannot be downloaded, or differs from the published one; says what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checksum:
  """The expected hash of a file.

  Attributes:
    algorithm: a name that `hashlib.new` knows, such as "sha256".
    digest: the hash in lower-case hexadecimal digits.
  """

  algorithm: str
  digest: str

  def of(self, path: pathlib.Path) -> str:
    """Returns the hash of a file by this algorithm."""
    with path.open("rb") as file:
      found = hashlib.new(self.algorithm)
      while chunk := file.read(_CHUNK_BYTES):
        found.update(chunk)
    return found.hexdigest()

  def __str__(self) -> str:
    return f"{self.algorithm.upper()} {self.digest}"


class _Transient(Exception):
  """A failure that may not recur; `wait_s` is the pause in seconds that the server requested."""

  def __init__(self, message: str, wait_s: float = 0.0):
    super().__init__(message)
    self.wait_s = wait_s


class _Partial:
  """The bytes received so far, and the identity of the file on the server."""

  def __init__(self, target: pathlib.Path):
    self.path = target.with_name(f"{target.name}.part")
    self._state = target.with_name(f"{target.name}.part.json")

  @property
  def size(self) -> int:
    return self.path.stat().st_size if self.path.exists() else 0

  def validator(self, url: str) -> str | None:
    """Returns the value for `If-Range`; None if the bytes come from another URL."""
    try:
      state = json.loads(self._state.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, or truncated by a kill: only the checksum counts
      return None
    return state.get("validator") if state.get("url") == url else None

  def note(self, url: str, headers: http.client.HTTPMessage) -> None:
    etag = headers.get("ETag", "")
    # A weak tag does not promise equal bytes, and RFC 9110 forbids it in If-Range.
    validator = etag if etag.startswith('"') else headers.get("Last-Modified")
    self._state.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

  def discard(self) -> None:
    self.path.unlink(missing_ok=True)
    self._state.unlink(missing_ok=True)

  def become(self, target: pathlib.Path) -> None:
    self.path.replace(target)
    self._state.unlink(missing_ok=True)


def download(
  url: str,
  target: pathlib.Path,
  *,
  checksum: Checksum,
  size_bytes: int | None = None,
  on_bytes: OnBytes | None = None,
  attempts: int = 5,
  first_wait_s: float = 1.0,
  timeout_s: float = 30.0,
) -> None:
  """Downloads the published file to `target`, or finishes an earlier download.

  Args:
    url: http or https.
    target: path of the file to write; its folder must exist.
    checksum: the expected checksum.
    size_bytes: the published size; None if no size is published.
    on_bytes: called with the number of bytes received and the total, or None if unknown.
    attempts: number of consecutive failures without a new byte before it gives up.
    first_wait_s: pause in seconds after the first failure; it doubles after each further one.
    timeout_s: longest silence of the server, in seconds.

  Raises:
    DownloadError: the file cannot be downloaded, or differs from the published one.
  """
  if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
    raise DownloadError(f"Expected an http or https URL. Received: {url!r}")
  if target.exists():
    if checksum.of(target) == checksum.digest:
      return
    target.unlink()
  partial = _Partial(target)
  failures, most = 0, partial.size
  while True:
    try:
      start = _transfer(url, partial, size_bytes, on_bytes or _ignore, timeout_s)
    except _Transient as err:
      failures = 0 if partial.size > most else failures + 1
      most = max(most, partial.size)
      if failures >= attempts:
        raise DownloadError(_gave_up(url, partial, attempts, err)) from err
      time.sleep(min(max(err.wait_s, first_wait_s * 2 ** max(failures - 1, 0)), _LONGEST_WAIT_S))
      continue
    found = checksum.of(partial.path)
    if found == checksum.digest:
      partial.become(target)
      return
    partial.discard()
    if not start:
      raise DownloadError(
        f"The file at {url} is not the published one.\n  expected {checksum}\n"
        f"  received {checksum.algorithm.upper()} {found}\nIt was deleted. Where a proxy or a "
        "mirror stands between, try another; else the file was changed, and must not be used."
      )
    # The first part may belong to an older version of the file: download all of it again.


def _ignore(done: int, total: int | None) -> None:
  del done, total


def _gave_up(url: str, partial: _Partial, attempts: int, err: Exception) -> str:
  message = f"Cannot fetch {url}: {err}. Tried {attempts} times in a row."
  if partial.size:
    message += (
      f" {partial.size:,} bytes are kept in {partial.path}; the same command goes on from there."
    )
  return message


def _transfer(
  url: str, partial: _Partial, size_bytes: int | None, on_bytes: OnBytes, timeout_s: float
) -> int:
  """Downloads the missing bytes; returns the offset at which the response began.

  Raises:
    DownloadError: another attempt would fail, too.
    _Transient: another attempt may succeed.
  """
  with contextlib.closing(_open(url, partial, timeout_s)) as response:
    start, total = _span(response, partial)
    if total is not None and size_bytes is not None and total != size_bytes:
      partial.discard()
      raise DownloadError(
        f"The file at {url} has {total:,} bytes; the published one has {size_bytes:,}. Nothing was "
        "kept. It was changed or cut off; try a mirror."
      )
    partial.note(url, response.headers)
    try:
      file = partial.path.open("ab" if start else "wb")
    except OSError as err:
      raise DownloadError(f"Cannot write {partial.path}: {err.strerror}.") from err
    done = start
    with file:
      on_bytes(done, total)
      while chunk := _read(response, done, total):
        try:
          file.write(chunk)
        except OSError as err:
          raise DownloadError(f"Cannot write {partial.path}: {err.strerror}.") from err
        done += len(chunk)
        on_bytes(done, total)
  if total is not None and done < total:
    raise _Transient(f"the connection ended after {done:,} of {total:,} bytes")
  return start


def _open(url: str, partial: _Partial, timeout_s: float) -> http.client.HTTPResponse:
  headers = {"User-Agent": "dlpipe", "Accept-Encoding": "identity"}
  if partial.size:
    headers["Range"] = f"bytes={partial.size}-"
    validator = partial.validator(url)
    if validator:
      headers["If-Range"] = validator
  request = urllib.request.Request(url, headers=headers)
  try:
    return urllib.request.urlopen(request, timeout=timeout_s)
  except urllib.error.HTTPError as err:
    status = f"HTTP {err.code} {err.reason}"
    err.close()
    if err.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
      partial.discard()
      raise _Transient(f"{status}: what was here is no beginning of that file") from err
    if err.code in _TRANSIENT_CODES:
      asked = err.headers.get("Retry-After", "")
      raise _Transient(status, float(asked) if asked.isdigit() else 0.0) from err
    raise DownloadError(
      f"Cannot fetch {url}: {status}. It may have moved; a mirror may still have it."
    ) from err
  except urllib.error.URLError as err:
    if isinstance(err.reason, ssl.SSLCertVerificationError):
      raise DownloadError(f"Cannot trust the server of {url}: {err.reason}.") from err
    raise _Transient(str(err.reason)) from err
  except (OSError, http.client.HTTPException) as err:
    raise _Transient(str(err) or type(err).__name__) from err


def _span(response: http.client.HTTPResponse, partial: _Partial) -> tuple[int, int | None]:
  """Returns the offset at which the response begins, and the size of the file or None."""
  if response.status == http.HTTPStatus.PARTIAL_CONTENT:
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != partial.size:
      partial.discard()
      raise _Transient("the server sent another range than the one asked for")
    return int(found[1]), None if found[2] == "*" else int(found[2])
  # A server without ranges, or with a changed file, sends the file from the beginning.
  length = response.headers.get("Content-Length", "")
  return 0, int(length) if length.isdigit() else None


def _read(response: http.client.HTTPResponse, done: int, total: int | None) -> bytes:
  try:
    return response.read(_CHUNK_BYTES)
  except (OSError, http.client.HTTPException) as err:
    of = "" if total is None else f" of {total:,}"
    raise _Transient(f"the connection broke after {done:,}{of} bytes: {err}") from err
