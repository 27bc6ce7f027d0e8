"""The page to try a model in a browser, and the requests it needs beside TensorFlow Serving's API.

    GET /ui                                     the page; needs no token, it has no secrets
    GET /ui/models                              {"models": [name, ...]}
    GET /ui/models/<name>/versions/<n>/example  {"instances": [...]}, of what lies beside the model
    GET /                                       leads to /ui

Not in TensorFlow Serving; off by default (`--ui`). Everything else the page asks is the API's, so
that its curl line is the whole truth.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import pathlib
import re
from typing import Any
from urllib.parse import unquote

from serving.errors import InvalidArgument
from serving.models.servable import ModelSpec
from serving.models.serving_core import ServingCore
from serving.rest.messages import JSON, Request, Response, html

_LOG = logging.getLogger(__name__)
_PATH = "/ui"
_MODELS = f"{_PATH}/models"
_EXAMPLE = re.compile(rf"{_MODELS}/([^/:]+)/versions/([0-9]{{1,19}})/example", re.ASCII)
_EXAMPLE_FILE = pathlib.Path("assets.extra", "examples", "request.json")
_MAX_EXAMPLE_BYTES = 4 << 20
_SOURCES = pathlib.Path(__file__).resolve().parents[1] / "ui"
# They become one script: each uses what those before it define.
_SCRIPTS = ("signature", "curl", "requests", "answer", "why", "picture", "page", "controls")
_NO_STORE = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


class Page:
  """Answers below `/ui`."""

  def __init__(self, core: ServingCore, *, needs_token: bool = False):
    """Reads the page's files.

    Args:
      core: the models to try.
      needs_token: whether the page must ask for a token first.
    """
    self._core = core
    style = _read("page.css")
    script = "\n".join(_read(f"{name}.js") for name in _SCRIPTS)
    text = (
      _read("page.html")
      .replace("{{needs_token}}", str(needs_token).lower())
      .replace("{{style}}", style)
      .replace("{{script}}", script)
    )
    self._body = text.encode()
    self._headers = (
      ("Content-Security-Policy", _policy(style, script)),
      ("Cross-Origin-Opener-Policy", "same-origin"),
      ("Referrer-Policy", "no-referrer"),
      ("X-Frame-Options", "DENY"),
      *_NO_STORE,
    )

  @staticmethod
  def owns(path: str) -> bool:
    """Returns whether the page answers this path."""
    return path in ("/", _PATH) or path.startswith(f"{_PATH}/")

  @staticmethod
  def is_open(path: str) -> bool:
    """Returns whether a path needs no token."""
    return path in ("/", _PATH)

  def answer(self, request: Request) -> Response:
    """Answers a request for a path that `owns` accepts.

    Raises:
      ServingError: there is no such model or version.
    """
    path = request.target.partition("?")[0]
    example = _EXAMPLE.fullmatch(path)
    if path not in ("/", _PATH, _MODELS) and not example:
      return html(404)
    if request.method not in ("GET", "HEAD"):
      return html(405)
    if path == "/":
      return Response(302, b"", "text/plain", (("Location", _PATH),))
    if path == _PATH:
      return Response(200, self._body, "text/html; charset=utf-8", self._headers)
    if example:
      return _json(self._example(unquote(example[1]), int(example[2])))
    return _json({"models": self._core.names()})

  def _example(self, name: str, version: int) -> dict[str, Any]:
    """Returns the example beside a version; without instances if there is none."""
    with self._core.acquire(ModelSpec(name, version)) as servable:
      path = servable.path
    if path is None or not (path / _EXAMPLE_FILE).is_file():
      return {"instances": []}
    try:
      return {"instances": _instances(path / _EXAMPLE_FILE)}
    except (OSError, ValueError, InvalidArgument) as err:
      _LOG.warning("%s is offered as no example: %s", path / _EXAMPLE_FILE, err)
      return {"instances": []}


def _instances(file: pathlib.Path) -> list[Any]:
  if file.stat().st_size > _MAX_EXAMPLE_BYTES:
    raise InvalidArgument(f"it is larger than {_MAX_EXAMPLE_BYTES} bytes")
  body = json.loads(file.read_text(encoding="utf-8"))
  if not isinstance(body, dict) or not isinstance(body.get("instances"), list):
    raise InvalidArgument('expected an object with a list "instances"')
  return body["instances"]


def _json(value: Any) -> Response:
  return Response(200, json.dumps(value, ensure_ascii=False).encode(), JSON, _NO_STORE)


def _read(name: str) -> str:
  return (_SOURCES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
  """Returns a Content-Security-Policy that lets only the page's own script and style run."""
  return "; ".join(
    (
      "default-src 'none'",
      f"script-src {_hash(script)}",
      f"style-src {_hash(style)}",
      "img-src blob: data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    )
  )


def _hash(source: str) -> str:
  digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
  return f"'sha256-{digest}'"
