"""Requests and responses."""

import gzip
import zlib

import pytest

from serving.rest.messages import Request, Response, html

LARGE = gzip.compress(b"\0" * (101 << 20), 1)


def _content(body, encoding=b"gzip"):
  return Request("POST", "/", {b"content-encoding": encoding}, body).content()


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip", b"GZIP"])
def test_gzip_is_inflated(encoding):
  assert _content(gzip.compress(b"abc"), encoding) == b"abc"


@pytest.mark.parametrize(
  "body",
  [
    b"",
    b"abc",
    gzip.compress(b"abc", mtime=0)[:-4],
    zlib.compress(b"abc"),
    LARGE,
  ],
)
def test_what_does_not_inflate_is_empty(body):
  assert _content(body) == b""


def test_other_encodings_are_left_alone():
  assert _content(b"abc", b"br") == b"abc"
  assert Request("POST", "/", {}, b"abc").content() == b"abc"


@pytest.mark.parametrize(
  ("request_", "line"),
  [
    (Request("GET", "/", {}), None),
    (Request("GET", "/", {}, keeps_connection=False), "Connection: close"),
    (Request("GET", "/", {}, is_http_1_0=True), "Connection: keep-alive"),
  ],
)
def test_heads(request_, line):
  head = Response(429, b"{}", headers=(("A", "b"),)).head(request_, "now").decode()
  lines = [
    "HTTP/1.1 429 Too Many Requests",
    "Content-Type: application/json",
    "Date: now",
    "Content-Length: 2",
    "A: b",
    *([line] if line else []),
  ]
  assert head == "\r\n".join(lines) + "\r\n\r\n"


def test_the_page_for_what_is_not_there():
  response = html(404)
  assert (response.status, response.content_type) == (404, "text/html; charset=ISO-8859-1")
  assert b"<TITLE>404 Not Found</TITLE>" in response.body
