"""The page of a watched run over HTTP: on loopback only, closed at the end."""

import contextlib
import http.client
import json
import re
import threading
import urllib.parse

import pytest

from pipeline.execution import events
from pipeline.execution.live import server
from pipeline.execution.live.server import LivePage


@pytest.fixture
def page():
  """A page that is served."""
  with contextlib.closing(LivePage()) as served:
    yield served


def _get(page, path, host=None):
  at = urllib.parse.urlsplit(page.address)
  connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
  with contextlib.closing(connection):
    connection.request("GET", path, headers={"Host": host or at.netloc})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers


def test_the_page_and_the_state_are_served(page):
  page.watched(events.RunStarted("r1", "images", ("Trainer",), "run.log"))
  status, text, headers = _get(page, "/")
  assert status == 200
  assert "connect-src 'self'" in headers["Content-Security-Policy"]
  # Nothing is loaded from elsewhere.
  assert re.findall(r"""(?:src|href)=["']?([^"' >]+)""", text) == ["data:,"]
  status, text, headers = _get(page, "/state.json")
  assert (status, headers["Cache-Control"]) == (200, "no-store")
  assert json.loads(text)["run_id"] == "r1"


def test_only_names_of_this_machine_are_answered(page):
  assert page.address.startswith("http://127.0.0.1:")
  port = urllib.parse.urlsplit(page.address).port
  assert _get(page, "/state.json", host=f"localhost:{port}")[0] == 200
  assert _get(page, "/state.json", host=f"rebound.example.org:{port}")[0] == 403
  assert _get(page, "/etc/passwd")[0] == 404


def test_the_port_is_free_after_the_end():
  page = LivePage()
  page.close()
  with pytest.raises(ConnectionRefusedError):
    _get(page, "/")


def test_everybody_who_looks_is_shown_the_end_before_the_port_is_freed():
  page, ends = LivePage(), {}
  for reader in "ab":
    _get(page, f"/state.json?{reader}")

  def look(reader):
    told = {"ended": False}
    while not told["ended"]:
      told = json.loads(_get(page, f"/state.json?{reader}")[1])
    ends[reader] = told

  looking = [threading.Thread(target=look, args=(reader,)) for reader in "ab"]
  for each in looking:
    each.start()
  page.close()
  for each in looking:
    each.join()
  assert sorted(ends) == ["a", "b"]


def test_nobody_is_waited_for_who_does_not_look(monkeypatch):
  monkeypatch.setattr(server, "_LINGER_S", 3600)
  page = LivePage()
  _get(page, "/")
  page.close()


@pytest.mark.parametrize("error", [BrokenPipeError, ConnectionResetError, TimeoutError])
def test_a_browser_that_goes_away_leaves_nothing_on_the_screen(page, capsys, error):
  try:
    raise error("the browser is closed")
  except OSError:
    page._server.handle_error(None, ("127.0.0.1", 1))
  assert capsys.readouterr().err == ""
  try:
    raise KeyError("a fault of ours")
  except KeyError:
    page._server.handle_error(None, ("127.0.0.1", 1))
  assert "a fault of ours" in capsys.readouterr().err
