"""An S3-compatible server of the tests' own, with keys that are checked.

`scripts/install-s3-server.sh` installs it; the tests are skipped without.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_PYTHON = _REPOSITORY / ".cache" / "s3-server" / "bin" / "python"
_START_TIMEOUT_S = 120
# Makes a bucket and a user's key while the server lets anybody in; prints the key.
_PREPARE = """
import json, sys
import boto3
anybody = {"aws_access_key_id": "a", "aws_secret_access_key": "a", "region_name": "us-east-1"}
s3 = boto3.client("s3", endpoint_url=sys.argv[1], **anybody)
s3.create_bucket(Bucket="data")
iam = boto3.client("iam", endpoint_url=sys.argv[1], **anybody)
iam.create_user(UserName="reader")
all_of_s3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
iam.put_user_policy(
  UserName="reader",
  PolicyName="s3",
  PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [all_of_s3]}),
)
key = iam.create_access_key(UserName="reader")["AccessKey"]
print(json.dumps([key["AccessKeyId"], key["SecretAccessKey"]]))
"""
# The requests that _PREPARE makes before keys are checked.
_OPEN_REQUESTS = 5


@dataclasses.dataclass
class S3Server:
  """A running server.

  Attributes:
    address: its URL.
    variables: what a client's environment needs.
  """

  address: str
  variables: dict[str, str]
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
  key, secret = json.loads(done.stdout)
  variables = {
    "AWS_ENDPOINT_URL": address,
    "AWS_ACCESS_KEY_ID": key,
    "AWS_SECRET_ACCESS_KEY": secret,
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
  }
  return S3Server(address=address, variables=variables, _process=process)


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
