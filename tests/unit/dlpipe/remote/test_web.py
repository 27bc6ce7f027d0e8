"""A file of a web server: read whole, or refused with what answered in its place."""

import http.server
import io
import os
import ssl
import threading

import pytest

from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote import copying, web

_CSV = b"text,label\n" * 1000


class _Handler(http.server.BaseHTTPRequestHandler):
  """Answers each path in its own way."""

  def log_message(self, *args):
    pass

  def do_HEAD(self):
    self._answer()

  def do_GET(self):
    self._answer()

  def _answer(self):
    kind = self.path.split("?")[0].strip("/").removesuffix(".csv")
    getattr(self, f"_{kind}".replace("%20", "_"), self._none)()

  def _none(self):
    self.send_error(404)

  def _begin(self, **headers):
    self.send_response(200)
    for name, value in {"Content_Type": "text/csv", **headers}.items():
      self.send_header(name.replace("_", "-"), str(value))
    self.end_headers()
    return self.command == "GET"

  def _reviews(self):
    moment = "Fri, 14 Jul 2017 02:40:00 GMT"
    if self._begin(Content_Length=len(_CSV), Last_Modified=moment):
      self.wfile.write(_CSV)

  _my_reviews = _reviews

  def _cut(self):
    if self._begin(Content_Length=len(_CSV)):
      self.wfile.write(_CSV[:5000])

  def _endless(self):
    if self._begin():
      self.wfile.write(_CSV)

  def _slow(self):
    if self._begin(Content_Length=len(_CSV)):
      self.server.is_over.wait()

  def _signed(self):  # as addresses that are signed for GET alone
    if self.command == "HEAD":
      self.send_error(403)
    else:
      self._reviews()

  def _login(self):
    self._begin(Content_Type="text/html; charset=utf-8", Content_Length=6)

  def _packed(self):
    self._begin(Content_Encoding="gzip", Content_Length=6)

  def _busy(self):
    self.send_error(503)

  def _sent(self, where, code=302):
    self.send_response(code)
    self.send_header("Location", where)
    self.send_header("Content-Length", "0")
    self.end_headers()

  def _moved(self):
    self._sent("/reviews.csv", 308)

  def _loop(self):
    self._sent("/loop.csv")

  def _away(self):
    self._sent("ftp://127.0.0.1/reviews.csv")


@pytest.fixture
def server():
  found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
  found.is_over = threading.Event()
  thread = threading.Thread(target=found.serve_forever)
  thread.start()
  yield f"http://127.0.0.1:{found.server_port}"
  found.is_over.set()
  found.shutdown()
  thread.join()
  found.server_close()


@pytest.mark.parametrize("name", ["reviews.csv", "my%20reviews.csv", "signed.csv", "moved.csv"])
def test_a_file_is_copied_with_its_time(name, server, tmp_path):
  copy = copying.local(f"{server}/{name}?token=1", tmp_path / "copies")
  assert os.path.basename(copy) == name.replace("%20", " ")
  assert os.stat(copy).st_mtime == 1_500_000_000
  with open(copy, "rb") as file:
    assert file.read() == _CSV


@pytest.mark.parametrize(
  ("name", "kind", "message"),
  [
    ("none.csv", BadInputError, "none.csv cannot be read: the server says 404 Not Found."),
    ("busy.csv", DlpipeError, "the server says 503 Service Unavailable."),
    ("loop.csv", BadInputError, "the server says 302 .* infinite loop"),
    ("away.csv", BadInputError, "the server sends on to ftp://, where nothing is encrypted"),
    ("login.csv", BadInputError, "the server answers with a web page"),
    ("packed.csv", BadInputError, r"the server packs it \(gzip\)"),
    ("endless.csv", BadInputError, "the server does not say how long it is"),
    ("cut.csv", DlpipeError, "the connection failed, or was lost.* 6,000 bytes of it did not come"),
    ("slow.csv", DlpipeError, "the connection failed, or was lost.* timed out"),
  ],
)
def test_what_is_not_the_whole_file_is_a_sentence(
  name, kind, message, server, tmp_path, monkeypatch
):
  monkeypatch.setattr(web, "REQUEST_S", 0.5 if name == "slow.csv" else 60)
  with pytest.raises(DlpipeError, match=message) as told:
    copying.local(f"{server}/{name}", tmp_path / "copies")
  assert type(told.value) is kind
  assert "\n" not in str(told.value)
  assert not list(tmp_path.glob("copies/*/[!.]*")), "no copy that anybody would read"


def test_a_server_that_is_gone_may_be_tried_again(server, tmp_path, free_ports):
  [port] = free_ports(1)
  with pytest.raises(DlpipeError, match="connection failed, or was lost") as told:
    copying.local(f"http://127.0.0.1:{port}/reviews.csv", tmp_path / "copies")
  assert told.value.exit_code == 1
  assert not (tmp_path / "copies").exists()


def test_a_certificate_that_nobody_signed_is_not_tried_again(monkeypatch, tmp_path):
  def refuse(request, timeout):
    reason = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"
    raise ssl.SSLCertVerificationError(1, reason)

  monkeypatch.setattr(web._OPENER, "open", refuse)
  with pytest.raises(BadInputError, match="does not trust the server's certificate"):
    copying.local("https://host/reviews.csv", tmp_path / "copies")


def test_nothing_encrypted_is_read_in_the_clear():
  request = web.urllib.request.Request("https://host/a.csv", method="HEAD")
  follow = web._Redirections().redirect_request
  with pytest.raises(BadInputError, match=r"sends on to http://, where nothing is encrypted"):
    follow(request, io.BytesIO(), 302, "Found", {}, "http://host/a.csv")
  sent_on = follow(request, None, 308, "Permanent Redirect", {}, "https://other/a.csv")
  assert (sent_on.full_url, sent_on.get_method()) == ("https://other/a.csv", "HEAD")


@pytest.mark.parametrize(
  ("address", "message"),
  [
    ("https://ann:secret@host/a.csv", "The address of host has a user in it"),
    ("https://host:port/a.csv", "is no address"),
    ("https:///a.csv", "names no host"),
    ("https://host/folder/", "names no file"),
  ],
)
def test_an_address_that_cannot_be_is_refused(address, message, tmp_path):
  with pytest.raises(BadInputError, match=message) as told:
    copying.local(address, tmp_path)
  assert "secret" not in str(told.value)
