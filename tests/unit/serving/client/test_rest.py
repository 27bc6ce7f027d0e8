"""REST only: paths, connections, and servers that answer something else."""

import contextlib
import socket
import threading
import time

import numpy as np
import pytest

from dlpipe_client import (
  BadRequest,
  DeadlineExceeded,
  HttpTransport,
  InvalidInput,
  InvalidResponse,
  RestClient,
  Retry,
  ServerFailed,
  Tls,
  Unavailable,
)


class Transport:
  """Answers from a list; keeps what was asked."""

  def __init__(self, *answers):
    self.answers, self.asked = list(answers), []

  def send(self, method, path, body, headers, timeout_s):
    self.asked.append((method, path, body))
    return self.answers.pop(0)

  def close(self):
    self.answers = None


METADATA = b"""{"model_spec": {"name": "m", "signature_name": "", "version": "1"}, "metadata":
{"signature_def": {"signature_def": {"serving_default": {
"inputs": {"b64": {"dtype": "DT_STRING", "tensor_shape": {"dim": []}}},
"outputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}, {"size": "3"}]}}},
"method_name": ""}}}}}"""


def over(*answers, model="m"):
  transport = Transport(*answers)
  client = RestClient("", model, transport=transport, retry=Retry(sleep=lambda seconds: None))
  return client, transport


@pytest.mark.parametrize(
  ("arguments", "path"),
  [
    ({}, "/v1/models/a%20b%2C%3F"),
    ({"version": 12}, "/v1/models/a%20b%2C%3F/versions/12"),
    ({"label": "can ary"}, "/v1/models/a%20b%2C%3F/labels/can%20ary"),
  ],
)
def test_paths(arguments, path):
  client, transport = over((200, METADATA), (200, b'{"outputs": [[1, NaN, 2.5]]}'), model="a b,?")
  answer = client.predict({"b64": b"\xff"}, **arguments)
  np.testing.assert_array_equal(answer["x"], np.float32([[1, np.nan, 2.5]]))
  assert transport.asked == [
    ("GET", path + "/metadata", None),
    ("POST", path + ":predict", b'{"signature_name":"serving_default","inputs":{"b64":"/w=="}}'),
  ]


def test_an_empty_batch_has_the_signatures_other_dimensions():
  client, _ = over((200, METADATA), (200, b'{"outputs": []}'))
  assert client.predict(["x"])["x"].shape == (0, 3)


def test_inputs_that_the_server_would_ignore_are_refused():
  client, transport = over((200, METADATA), (200, METADATA))
  with pytest.raises(BadRequest, match=r"takes the inputs \['b64'\]. Received also: \['c'\]"):
    client.predict({"b64": b"", "c": b""})
  assert len(transport.asked) == 2


@pytest.mark.parametrize(
  ("answer", "error", "message"),
  [
    ((200, b"<html>"), InvalidResponse, "did not answer in JSON: b'<html>'"),
    ((200, b"[" * 100_000), InvalidResponse, "did not answer in JSON"),
    ((200, b"[1]"), InvalidResponse, "did not answer with a JSON object"),
    ((200, b'{"predictions": [1]}'), InvalidResponse, r"Expected `outputs` .* \['predictions'\]"),
    ((200, b'{"outputs": [[1], [1, 2]]}'), InvalidResponse, "'x' is not an array of float32"),
    ((200, b'{"outputs": ["a"]}'), InvalidResponse, "'x' is not an array of float32"),
    ((400, b'{"error": "no \\"x\\""}'), BadRequest, '^no "x"$'),
    ((418, b"teapot"), BadRequest, "^HTTP 418: teapot$"),
    ((502, b"<html>proxy</html>"), Unavailable, "^HTTP 502: <html>proxy</html>$"),
    ((599, b""), ServerFailed, "^HTTP 599: $"),
  ],
)
def test_other_answers(answer, error, message):
  client, _ = over(
    (200, METADATA), *[answer, (200, METADATA)] * 4 if answer[0] == 200 else [answer] * 4
  )
  with pytest.raises(error, match=message):
    client.predict(["x"])


@pytest.mark.parametrize("body", [b"{}", b'{"model_version_status": [{"state": "END"}]}'])
def test_status_that_is_not_understood(body):
  client, _ = over((200, body))
  with pytest.raises(InvalidResponse, match="status is not understood"):
    client.status()


def test_classify_and_regress_that_are_not_understood():
  client, _ = over((200, b"{}"), (200, b'{"results": [1]}'), (200, b'{"result": [["a"]]}'))
  with pytest.raises(InvalidResponse, match=r"Expected `results` in the answer. Received: \[\]"):
    client.classify([{}])
  with pytest.raises(InvalidResponse, match="Expected pairs of label and score"):
    client.classify([{}])
  with pytest.raises(InvalidResponse, match="Expected numbers"):
    client.regress([{}])


def test_one_connection_serves_many_calls(model, http_server, url):
  before = http_server.connections
  with RestClient(url, "m") as client:
    for _ in range(5):
      client.predict([1])
  assert http_server.connections == before + 1


def test_threads_have_a_connection_each(model, http_server, url):
  before, found = http_server.connections, []
  with RestClient(url, "m") as client:
    client.metadata()
    threads = [
      threading.Thread(target=lambda n=n: found.append((n, client.predict([n])["half"][0])))
      for n in range(16)
    ]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
  assert sorted(found) == [(n, n / 2) for n in range(16)]
  assert http_server.connections - before <= 17


def _server(*answers):
  """Answers each connection with the next of `answers`, then closes it."""
  listener = socket.create_server(("127.0.0.1", 0))

  def serve():
    for answer in answers:
      connection, _ = listener.accept()
      with connection:
        connection.recv(65536)
        if callable(answer):
          answer(connection)
        else:
          connection.sendall(answer)
    listener.close()

  threading.Thread(target=serve, daemon=True).start()
  return f"http://127.0.0.1:{listener.getsockname()[1]}"


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def test_a_connection_that_was_closed_while_idle_is_replaced():
  transport = HttpTransport(_server(OK, OK))
  for _ in range(2):
    assert transport.send("GET", "/", None, {}, 5) == (200, b"{}")
    time.sleep(0.05)  # the server's end of the connection has arrived
  transport.close()


def test_a_lost_connection_is_unavailable():
  with pytest.raises(Unavailable, match="The connection to 127.0.0.1:[0-9]+ was lost"):
    HttpTransport(_server(b"")).send("GET", "/", None, {}, 5)


def test_what_is_not_http_is_no_response():
  cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"
  with pytest.raises(InvalidResponse, match="does not answer in HTTP: IncompleteRead"):
    HttpTransport(_server(cut)).send("GET", "/", None, {}, 5)


def test_no_answer_in_time():
  url = _server(lambda connection: time.sleep(120))
  with pytest.raises(DeadlineExceeded, match="No answer within 0.1 s"):
    HttpTransport(url).send("GET", "/", None, {}, 0.1)


def test_an_answer_that_trickles_in_is_cut_off():
  def trickle(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
    with contextlib.suppress(ConnectionError):  # the client leaves
      for _ in range(2400):
        time.sleep(0.05)
        connection.sendall(b"x")

  started = time.monotonic()
  with pytest.raises(DeadlineExceeded):
    HttpTransport(_server(trickle)).send("GET", "/", None, {}, 0.2)
  assert time.monotonic() - started < 60, "the whole answer takes 120 s"


def test_no_server():
  with socket.create_server(("127.0.0.1", 0)) as listener:
    port = listener.getsockname()[1]
  client = RestClient(f"http://127.0.0.1:{port}", "m", retry=Retry(attempts=1))
  with pytest.raises(Unavailable, match=f"No connection to 127.0.0.1:{port}: .*refused"):
    client.status()


@pytest.mark.parametrize(
  "url",
  ["", "localhost:8501", "ftp://a", "http://", "http://a:b", "http://a:70000", "http://a?x=1"],
)
def test_urls_that_are_none(url):
  with pytest.raises(InvalidInput, match="Expected "):
    RestClient(url, "m")


def test_certificates_need_https():
  with pytest.raises(InvalidInput, match="Certificates need https"):
    RestClient("http://a", "m", tls=Tls())


@pytest.mark.parametrize("model", ["", "a/b", "a:b"])
def test_models_that_cannot_be_in_a_path(model):
  with pytest.raises(InvalidInput, match="Expected a model's name"):
    RestClient("http://a", model)
