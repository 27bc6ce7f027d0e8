"""One file of a web server, read with urllib.

What answers in place of the file is refused: a login page, a redirection to where nothing is
encrypted, and an answer of which nobody could tell whether it came whole.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import IO, Any

from dlpipe.errors import BadInputError
from dlpipe.remote.items import Item, Store

REQUEST_S = 60
# What servers answer that let a file be read, and not be asked about.
_NO_HEAD = (403, 405, 501)
_PAGES = ("text/html", "application/xhtml+xml")


class WebFile(Store):
  """One file of a web server."""

  def __init__(self, address: str):
    """Checks the address; asks nobody.

    Raises:
      BadInputError: it names no host or no file, or has a user or a password in it.
    """
    try:
      parts = urllib.parse.urlsplit(address)
      host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError as err:
      raise BadInputError(f"{address!r} is no address: {err}.") from err
    if user is not None:
      raise BadInputError(
        f"The address of {host} has a user in it, and records and reports name addresses. Copy the "
        "file here first."
      )
    if not host:
      raise BadInputError(f"{address!r} names no host.")
    self._address = address
    self._name = urllib.parse.unquote(parts.path).rpartition("/")[2]
    if not self._name:
      raise BadInputError(f"{address!r} names no file; a web server has no folders to list.")

  def items(self) -> tuple[str, list[Item]]:
    found: Item | None = None
    try:
      with self._asked("HEAD") as answer:
        found = self._item(answer)
    except urllib.error.HTTPError as err:
      if err.code not in _NO_HEAD:
        raise
    if found is None or found.size is None:
      with self._asked("GET") as answer:
        found = self._item(answer)
        is_told = found.size is not None or answer.headers.get("Transfer-Encoding")
      if not is_told:
        raise BadInputError(
          f"{self._address} cannot be read: the server does not say how long it is, so a part of "
          "it could pass for the whole. Copy it here first."
        )
    return "file", [found]

  @contextlib.contextmanager
  def open(self, item: Item) -> Iterator[IO[bytes]]:
    with self._asked("GET") as answer:
      self._item(answer)
      yield answer
      if missing := answer.length:  # urllib takes a connection that ends early for the end
        raise ConnectionError(f"{missing:,} bytes of it did not come")

  def _asked(self, method: str) -> Any:
    request = urllib.request.Request(self._address, method=method)
    return _OPENER.open(request, timeout=REQUEST_S)

  def _item(self, answer: Any) -> Item:
    """Returns what an answer says of the file.

    Raises:
      BadInputError: it is not the file that answers.
    """
    told = answer.headers
    is_page = self._name.lower().endswith((".html", ".htm", ".xhtml"))
    if told.get_content_type() in _PAGES and told.get("Content-Type") and not is_page:
      raise BadInputError(
        f"{self._address} cannot be read: the server answers with a web page, such as one to log "
        "in or one about the file. Give the address of the file itself, or copy it here first."
      )
    if (packed := told.get("Content-Encoding", "identity")) != "identity":
      raise BadInputError(
        f"{self._address} cannot be read: the server packs it ({packed}) although it was asked not "
        "to. Copy it here first."
      )
    size = told.get("Content-Length")
    return Item(
      name=self._name,
      size=int(size) if size else None,
      changed=_changed(told.get("ETag"), told.get("Last-Modified")),
      source=self._address,
    )


class _Redirections(urllib.request.HTTPRedirectHandler):
  """Follows redirections, those of the code 308 too; never from https to http."""

  def redirect_request(
    self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
  ) -> urllib.request.Request | None:
    scheme = urllib.parse.urlsplit(newurl).scheme
    if scheme not in ("https", req.type):
      fp.close()
      raise BadInputError(
        f"{req.full_url} cannot be read: the server sends on to {scheme}://, where nothing is "
        "encrypted. Give the address of the file itself if that is meant."
      )
    # Python 3.10 does not know 308, which is 307 for good.
    sent_on = super().redirect_request(req, fp, min(code, 307), msg, headers, newurl)
    if sent_on is not None:
      sent_on.method = req.get_method()
    return sent_on

  http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302


_OPENER = urllib.request.build_opener(_Redirections)


def _changed(tag: str | None, moment: str | None) -> float:
  """Returns when a server's file changed; if only a tag is known, a number that changes with it."""
  if moment and (known := email.utils.parsedate_to_datetime(moment)):
    return known.timestamp()
  return float(int(hashlib.sha256((tag or "").encode()).hexdigest()[:7], 16))
