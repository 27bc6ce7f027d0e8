"""The compose file: keys of the Compose specification, paths, and what containers may do."""

import pathlib
import re

import pytest
import yaml

from serving import flags

ROOT = pathlib.Path(__file__).parents[3]
FILE = ROOT / "deploy" / "docker-compose.yml"
# Source: the Compose specification, 05-services.md; those that such a file may need.
SERVICE_KEYS = {
  "build", "cap_drop", "command", "deploy", "environment", "healthcheck", "image", "init", "ports",
  "profiles", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "user",
  "volumes",
}  # fmt: skip
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "start_period", "retries"}


def load(**environment):
  """The file with `${NAME:-default}` filled in."""
  text = re.sub(
    r"(?<!\$)\$\{(\w+):-([^}]*)\}",
    lambda match: environment.get(match[1], match[2]),
    FILE.read_text(),
  )
  assert not re.search(r"(?<!\$)\$[\w{]", text)  # every variable has a default
  return yaml.safe_load(text)


@pytest.fixture(params=["tensorflow-serving", "embedded"])
def service(request):
  return load()["services"][request.param]


def test_top_level():
  found = load()
  assert found.keys() == {"name", "x-server", "services"}
  assert found["services"].keys() == {"tensorflow-serving", "embedded"}


def test_keys(service):
  assert service.keys() <= SERVICE_KEYS
  assert service.get("healthcheck", {}).keys() <= HEALTHCHECK_KEYS


def test_containers_may_do_little(service):
  assert service["cap_drop"] == ["ALL"]
  assert service["security_opt"] == ["no-new-privileges:true"]
  assert service["read_only"] is True
  assert service["user"] == "10001:10001"
  assert service["deploy"]["resources"]["limits"]["memory"] == "2G"
  assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_models_are_where_runs_push_them_and_the_server_looks():
  services = load(DLPIPE_TASK="sentiment", DLPIPE_WORKSPACE="/w")["services"]
  for each in services.values():
    [volume] = each["volumes"]
    assert volume["source"] == "/w/sentiment/serving"
    assert volume["target"] == f"/models/{each['environment']['MODEL_NAME']}"
    assert volume["read_only"] is True
    assert volume["bind"] == {"create_host_path": False}
  [volume] = load()["services"]["embedded"]["volumes"]
  assert (FILE.parent / volume["source"]).resolve() == ROOT / "workspace" / "images" / "serving"


def test_the_image_is_built_from_a_file_that_is_there():
  build = load()["services"]["embedded"]["build"]
  context = (FILE.parent / build["context"]).resolve()
  assert context == ROOT
  assert (context / build["dockerfile"]).is_file()


def test_flags_are_those_of_both_servers():
  for each in load()["services"].values():
    assert flags.parse(each["command"])[1] == []
