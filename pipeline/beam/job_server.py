"""Beam's Flink and Spark runners with our own job server: one per process, stopped with it.

Beam's own runners start a job server for every pipeline, download its jar if none is named, catch
Ctrl-C and, if a process ends without `atexit`, leave Java running. Beam's options name our runners
by dotted path: a port in the options would change the keys of cached results.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence

import grpc
from apache_beam.options.pipeline_options import (
  FlinkRunnerOptions,
  JobServerOptions,
  PipelineOptions,
  SparkRunnerOptions,
)
from apache_beam.portability.api import beam_job_api_pb2_grpc
from apache_beam.runners.portability import flink_runner, job_server, spark_runner
from apache_beam.utils import subprocess_server

from dlpipe.errors import DlpipeError
from pipeline.beam.engines import ENGINES, find_java, find_job_server, java_command

_START_TIMEOUT_S = 120
_STOP_TIMEOUT_S = 10

# Runs Java under a shell that waits until its stdin closes, which happens when this process ends
# for whatever reason. The shell then sends Java SIGTERM and removes its folder.
_GUARD = """
folder=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- >&2 &
server=$!
{ cat <&3 >/dev/null; kill $server 2>/dev/null; } &
wait $server
code=$?
rm -rf "$folder"
exit $code
"""


class FlinkRunner(flink_runner.FlinkRunner):
  """Runs Beam on Flink: embedded in the job server, or on a cluster that it submits to."""

  def default_job_server(self, options: PipelineOptions) -> job_server.JobServer:
    flink = options.view_as(FlinkRunnerOptions)
    if flink.flink_submit_uber_jar:
      return super().default_job_server(options)
    flink.flink_master = self.add_http_scheme(flink.flink_master)
    return _job_server(
      "flink", options, flink.flink_job_server_jar, ("--flink-master", flink.flink_master)
    )


class SparkRunner(spark_runner.SparkRunner):
  """Runs Beam on Spark: embedded in the job server, or on a cluster that it submits to."""

  def default_job_server(self, options: PipelineOptions) -> job_server.JobServer:
    spark = options.view_as(SparkRunnerOptions)
    if spark.spark_submit_uber_jar:
      return super().default_job_server(options)
    return _job_server(
      "spark", options, spark.spark_job_server_jar, ("--spark-master-url", spark.spark_master_url)
    )


class JavaJobServer(job_server.JobServer):
  """A job server in a separate process.

  Args:
    command: the command that starts it, without ports and folders.
    artifacts_dir: folder to stage pipelines' files in; None for a temporary folder.
    port: port to listen on; 0 takes a free port.
  """

  def __init__(self, command: Sequence[str], *, artifacts_dir: str | None, port: int):
    self._command = tuple(command)
    self._artifacts_dir = artifacts_dir
    self._port = port
    self._lock = threading.Lock()
    self._process: subprocess.Popen[bytes] | None = None
    self._endpoint = ""

  def start(self) -> beam_job_api_pb2_grpc.JobServiceStub:
    """Starts Java unless it is running, and waits until it listens.

    Raises:
      DlpipeError: Java ended, or does not listen in time.
    """
    with self._lock:
      if self._process is None or self._process.poll() is not None:
        self._process = self._launch()
      channel = grpc.insecure_channel(self._endpoint)
      self._wait(channel, self._process)
    return beam_job_api_pb2_grpc.JobServiceStub(channel)

  def stop(self) -> None:
    """Stops Java and removes its folder."""
    with self._lock:
      if self._process is None:
        return
      try:
        # Closes the stdin that the shell waits on.
        self._process.communicate(timeout=_STOP_TIMEOUT_S)
      except subprocess.TimeoutExpired:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
      self._process = None

  def _launch(self) -> subprocess.Popen[bytes]:
    folder = tempfile.mkdtemp(prefix="dlpipe-job-server-")
    [port] = subprocess_server.pick_port(self._port or None)
    java, *rest = self._command
    command = [
      *(java, f"-Djava.io.tmpdir={folder}", *rest),
      *("--job-port", str(port), "--artifact-port", "0", "--expansion-port", "0"),
      *("--artifacts-dir", self._artifacts_dir or os.path.join(folder, "artifacts")),
    ]
    self._endpoint = f"localhost:{port}"
    try:
      # In a new session Ctrl-C reaches only this process, which then stops Java.
      return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", folder, *command],
        stdin=subprocess.PIPE,
        start_new_session=True,
      )
    except OSError:
      shutil.rmtree(folder)
      raise

  def _wait(self, channel: grpc.Channel, process: subprocess.Popen[bytes]) -> None:
    ready = grpc.channel_ready_future(channel)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
      try:
        ready.result(timeout=0.2)
        return
      except grpc.FutureTimeoutError:
        code = process.poll()
        if code is not None:
          raise DlpipeError(
            f"Beam's job server ended with code {code} before it listened. What it said stands in "
            f"the log. It was started as: {' '.join(self._command)}"
          ) from None
    raise DlpipeError(
      f"Beam's job server does not listen at {self._endpoint} after {_START_TIMEOUT_S} s. It was "
      f"started as: {' '.join(self._command)}"
    )


_running: dict[tuple[str, ...], JavaJobServer] = {}
_running_lock = threading.Lock()


def _job_server(
  engine: str, options: PipelineOptions, jar: str | None, master: tuple[str, str]
) -> JavaJobServer:
  """Returns this process's job server for these options; makes it if there is none yet."""
  known = ENGINES[engine]
  server = options.view_as(JobServerOptions)
  command = [
    *java_command(
      known,
      find_java(server.job_server_java_launcher),
      find_job_server(known, jar, os.environ),
      *server.job_server_jvm_properties,
    ),
    *master,
  ]
  key = (*command, str(server.artifacts_dir), str(server.job_port))
  with _running_lock:
    return _running.setdefault(
      key,
      JavaJobServer(command, artifacts_dir=server.artifacts_dir, port=server.job_port),
    )
