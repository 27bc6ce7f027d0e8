"""Where job servers are looked for, what is said where they are missing, how they are started."""

import pytest

from dlpipe.errors import BadInputError
from pipeline.beam.engines import (
  ENGINES,
  check_engine,
  find_job_server,
  java_command,
  job_servers_dir,
)
from pipeline.settings.config import BeamConfig

_FLINK = ENGINES["flink"]


def _folder(root):
  (root / "flink").mkdir(parents=True)
  (root / "flink" / "a.jar").touch()
  return root / "flink"


@pytest.fixture
def java(tmp_path):
  """A program that can be started, in Java's place."""
  launcher = tmp_path / "java"
  launcher.touch(mode=0o755)
  return f"--job_server_java_launcher={launcher}"


def test_job_servers_lie_where_the_environment_says_else_in_the_cache(tmp_path):
  assert str(job_servers_dir({"DLPIPE_JOB_SERVERS": "/jars", "XDG_CACHE_HOME": "/c"})) == "/jars"
  assert str(job_servers_dir({"XDG_CACHE_HOME": "/c"})) == "/c/dlpipe/job-servers"
  assert str(job_servers_dir({})).endswith("/.cache/dlpipe/job-servers")


def test_a_configured_job_server_wins_over_the_fetched_one(tmp_path):
  fetched = _folder(tmp_path / "fetched")
  environ = {"DLPIPE_JOB_SERVERS": str(tmp_path / "fetched")}
  assert find_job_server(_FLINK, None, environ) == fetched
  jar = tmp_path / "job-server.jar"
  jar.touch()
  assert find_job_server(_FLINK, str(jar), environ) == jar


@pytest.mark.parametrize("made", [False, True])
def test_a_missing_job_server_is_named_with_what_to_do(tmp_path, made):
  if made:
    (tmp_path / "flink").mkdir()
  with pytest.raises(BadInputError) as raised:
    find_job_server(_FLINK, None, {"DLPIPE_JOB_SERVERS": str(tmp_path)})
  message = str(raised.value)
  assert f"expected a jar or a folder of jars at '{tmp_path}/flink'" in message
  assert f"Received: {'a folder without jars' if made else 'nothing there'}" in message
  assert "scripts/fetch-beam-job-servers.sh flink" in message
  assert "org.apache.beam:beam-runners-flink-1.18-job-server:2.59.0" in message


def test_the_check_asks_for_java_and_a_job_server(tmp_path, java):
  environ = {"DLPIPE_JOB_SERVERS": str(tmp_path)}
  with pytest.raises(BadInputError, match="needs its job server"):
    check_engine(BeamConfig(runner="flink", options=(java,)), environ)
  _folder(tmp_path)
  check_engine(BeamConfig(runner="flink", options=(java,)), environ)
  missing = ("--job_server_java_launcher=no-such-java",)
  with pytest.raises(BadInputError, match="there is no 'no-such-java'"):
    check_engine(BeamConfig(runner="flink", options=missing), environ)


@pytest.mark.parametrize(
  "beam",
  [
    BeamConfig(),
    BeamConfig(runner="flink", options=("--job_endpoint=cluster:8099",)),
    BeamConfig(runner="spark", options=("--spark_submit_uber_jar",)),
  ],
)
def test_nothing_is_asked_where_nothing_starts_here(beam, tmp_path):
  check_engine(beam, {"DLPIPE_JOB_SERVERS": str(tmp_path)})


def test_dataflow_is_for_compiled_pipelines():
  with pytest.raises(BadInputError, match="dlpipe compile TASK --for kubeflow --beam dataflow"):
    check_engine(BeamConfig(runner="dataflow"), {})


def test_a_folder_is_a_class_path_and_a_jar_is_started(tmp_path):
  folder = _folder(tmp_path)
  command = java_command(_FLINK, "java", folder, "-Xmx2g")
  assert command[0] == "java"
  assert command[-4:] == ["-Xmx2g", "-cp", f"{folder}/*", _FLINK.main_class]
  jar = folder / "a.jar"
  assert java_command(_FLINK, "java", jar)[-2:] == ["-jar", str(jar)]
  assert "--add-opens=java.base/java.util=ALL-UNNAMED" in command
