"""`RunNotice` posts to a server on this machine."""

import http.server
import json
import threading

import pytest

from components.run_notice import RunNotice
from dlpipe.errors import BadInputError, DlpipeError


@pytest.fixture
def server():
  """A server that answers with its `code`; what it was sent is in `taken`."""

  class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
      body = self.rfile.read(int(self.headers["Content-Length"]))
      self.server.taken.append((self.headers["Content-Type"], json.loads(body)))
      self.send_response(self.server.code)
      self.end_headers()

    def log_message(self, *args):
      pass

  made = http.server.HTTPServer(("127.0.0.1", 0), Take)
  made.taken, made.code = [], 204
  thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
  thread.start()
  yield made
  made.shutdown()
  thread.join()
  made.server_close()


def _notify(port, status):
  RunNotice.test_call(
    pipeline_name="images", url=f"http://127.0.0.1:{port}/hook", final_status=status
  )


def test_it_tells_the_state(server):
  _notify(server.server_port, json.dumps({"state": "SUCCEEDED"}))
  assert server.taken == [
    ("application/json", {"pipeline": "images", "state": "SUCCEEDED", "error": ""})
  ]


def test_it_tells_the_error(server):
  status = {"state": "FAILED", "error": {"code": 9, "message": "DataGate failed"}}
  _notify(server.server_port, json.dumps(status))
  assert server.taken[0][1] == {
    "pipeline": "images",
    "state": "FAILED",
    "error": "DataGate failed",
  }


def test_an_address_that_does_not_take_it_fails_the_node(server):
  server.code = 500
  with pytest.raises(DlpipeError, match=r"did not take the notice .*'SUCCEEDED'.*500"):
    _notify(server.server_port, json.dumps({"state": "SUCCEEDED"}))


def test_a_status_that_is_not_json_is_bad_input():
  with pytest.raises(BadInputError, match=r"Received: 'SUCCEEDED'"):
    _notify(1, "SUCCEEDED")
