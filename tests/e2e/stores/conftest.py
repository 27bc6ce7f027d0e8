"""An S3-compatible server of the tests' own, with keys that are checked.

`scripts/install-s3-server.sh` installs it; the tests are skipped without.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import socketserver
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_PYTHON = _REPOSITORY / ".cache" / "s3-server" / "bin" / "python"
_START_TIMEOUT_S = 120
# Makes a bucket, and the keys of two users, while the server lets anybody in; prints the keys.
_PREPARE = """
import json, sys
import boto3
anybody = {"aws_access_key_id": "a", "aws_secret_access_key": "a", "region_name": "us-east-1"}
s3 = boto3.client("s3", endpoint_url=sys.argv[1], **anybody)
s3.create_bucket(Bucket="data")
iam = boto3.client("iam", endpoint_url=sys.argv[1], **anybody)
keys = []
for name, actions in (("writer", "s3:*"), ("reader", ["s3:Get*", "s3:List*", "s3:Head*"])):
  iam.create_user(UserName=name)
  allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
  iam.put_user_policy(
    UserName=name,
    PolicyName="s3",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
  )
  key = iam.create_access_key(UserName=name)["AccessKey"]
  keys.append([key["AccessKeyId"], key["SecretAccessKey"]])
print(json.dumps(keys))
"""
# The requests that _PREPARE makes before keys are checked.
_OPEN_REQUESTS = 7


@dataclasses.dataclass
class S3Server:
  """A running server.

  Attributes:
    address: its URL.
    variables: what a client's environment needs.
    may_read: the keys of a client that may not write.
  """

  address: str
  variables: dict[str, str]
  may_read: dict[str, str]
  _process: subprocess.Popen[bytes]

  def stop(self) -> None:
    self._process.terminate()
    self._process.wait(timeout=_START_TIMEOUT_S)


def start(port: int, log: pathlib.Path) -> S3Server:
  address = f"http://127.0.0.1:{port}"
  command = [str(_PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
  environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(_OPEN_REQUESTS)}
  with log.open("wb") as file:
    process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
  deadline = time.monotonic() + _START_TIMEOUT_S
  while not _listens(address):
    assert process.poll() is None, log.read_text()
    assert time.monotonic() < deadline
    time.sleep(0.1)
  done = subprocess.run(
    [str(_PYTHON), "-c", _PREPARE, address], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  writer, reader = map(_keys, json.loads(done.stdout))
  variables = {
    "AWS_ENDPOINT_URL": address,
    **writer,
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
  }
  return S3Server(address=address, variables=variables, may_read=reader, _process=process)


def _keys(pair: list[str]) -> dict[str, str]:
  return dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), pair, strict=True))


def _listens(address: str) -> bool:
  try:
    with urllib.request.urlopen(f"{address}/moto-api/", timeout=5):
      return True
  except urllib.error.HTTPError:
    return True
  except OSError:
    return False


@pytest.fixture(scope="session")
def s3_port(free_ports) -> int:
  if not _PYTHON.exists():
    pytest.skip("there is no S3-compatible server; scripts/install-s3-server.sh installs one")
  [port] = free_ports(1)
  return port


@pytest.fixture(scope="module")
def s3(s3_port, tmp_path_factory) -> Iterator[S3Server]:
  """A server with the bucket `data`."""
  server = start(s3_port, tmp_path_factory.mktemp("s3") / "server.log")
  yield server
  server.stop()


class Wire(socketserver.ThreadingTCPServer):
  """Stands between a client and a server, and is cut when so many bytes have gone through it."""

  daemon_threads = True
  block_on_close = False

  def __init__(self, behind: tuple[str, int]):
    super().__init__(("127.0.0.1", 0), _Connection)
    self.behind = behind
    self.left: int | None = None
    self._counting = threading.Lock()

  @property
  def address(self) -> str:
    return f"http://127.0.0.1:{self.server_address[1]}"

  def carries(self, count: int) -> bool:
    """Whether so many bytes go through."""
    with self._counting:
      if self.left is None:
        return True
      self.left -= count
      return self.left >= 0


class _Connection(socketserver.BaseRequestHandler):
  server: Wire

  def handle(self) -> None:
    if not self.server.carries(0):
      return
    with socket.create_connection(self.server.behind) as there:
      back = threading.Thread(target=self._pass_on, args=(there, self.request), daemon=True)
      back.start()
      self._pass_on(self.request, there)
      back.join()

  def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
      while (block := source.recv(1 << 14)) and self.server.carries(len(block)):
        target.sendall(block)
    for each in (source, target):
      with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(s3, monkeypatch) -> Iterator[Wire]:
  """What lies between a client of this process and the server."""
  for name, value in s3.variables.items():
    monkeypatch.setenv(name, value)
  host = urllib.parse.urlsplit(s3.address)
  with Wire((host.hostname or "", host.port or 0)) as found:
    monkeypatch.setenv("AWS_ENDPOINT_URL", found.address)
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()


@pytest.fixture
def put(s3, monkeypatch):
  """Returns a function that puts a folder or a file to an address."""
  from dlpipe.remote import stores

  def upload(source: pathlib.Path, address: str) -> None:
    with monkeypatch.context() as patch:
      for name, value in s3.variables.items():
        patch.setenv(name, value)
      store = stores.open_store(address)
      for path in sorted(source.rglob("*")):
        if path.is_file():
          store.write(str(path.relative_to(source)), path.open("rb"))

  return upload
