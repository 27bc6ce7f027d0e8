"""Posts a notice to an address, and tries again if the server is away or busy."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from pipeline.announcing.notices import Notice, NotToldError

_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
  """Follows no redirect: the token would go to whoever the server names."""

  def redirect_request(self, *_: Any) -> None:
    return None


def post(
  notice: Notice,
  url: str,
  *,
  token: str | None,
  timeout_s: float,
  retries: int,
  pause: Callable[[float], None] = time.sleep,
) -> None:
  """Posts a notice as JSON.

  Args:
    notice: what to tell.
    url: the http(s) address.
    token: a bearer token, or None.
    timeout_s: seconds until a try counts as failed.
    retries: how often to try again.
    pause: waits a number of seconds.

  Raises:
    NotToldError: the server did not take it; the message names neither address nor token.
  """
  try:
    parts = urllib.parse.urlsplit(url)
  except ValueError as err:  # which quotes a part of it
    raise NotToldError("the webhook's address is none") from err
  if parts.scheme not in ("http", "https") or not parts.netloc:
    raise NotToldError("the webhook's address does not begin with http:// or https://")
  headers = {"Content-Type": "application/json", "User-Agent": "dlpipe"}
  if token is not None:
    headers["Authorization"] = f"Bearer {token}"
  body = json.dumps(notice.document).encode()
  opener = urllib.request.build_opener(_NoRedirect)
  for number in range(retries + 1):
    try:
      request = urllib.request.Request(url, data=body, headers=headers, method="POST")
      with opener.open(request, timeout=timeout_s):
        return
    except urllib.error.HTTPError as err:
      reason = f"the server answered {err.code}"
      err.close()
      if err.code not in _TRY_AGAIN:
        break
    except (OSError, http.client.HTTPException, ValueError) as err:
      reason = _reason(err)
    if number < retries:
      pause(2.0**number)
  raise NotToldError(reason)


def _reason(err: Exception) -> str:
  """Returns why there was no answer, in words that hold nothing of the address."""
  cause = err.reason if isinstance(err, urllib.error.URLError) else err
  if isinstance(cause, (TimeoutError, socket.timeout)):
    return "the server did not answer in time"
  if isinstance(cause, ssl.SSLError):
    return f"the connection is not safe: {cause.reason or 'TLS failed'}"
  if isinstance(cause, OSError) and cause.strerror:
    return f"the server cannot be reached: {cause.strerror}"
  return f"the server cannot be reached ({type(cause).__name__})"
