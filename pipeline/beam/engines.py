"""Finds the job servers of Flink and Spark on this machine, and builds the command to start them.

A job server is a Java program that receives Beam pipelines and runs them, by itself or on a
cluster. This module downloads none. It does not import Beam, so a missing one is reported at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Mapping

from dlpipe.errors import BadInputError
from pipeline.settings.config import BeamConfig

# Packages that Flink and Spark access by reflection; Java 17 and later close them by default.
_OPENED = (
  "java.base/java.io",
  "java.base/java.lang",
  "java.base/java.lang.invoke",
  "java.base/java.lang.reflect",
  "java.base/java.net",
  "java.base/java.nio",
  "java.base/java.text",
  "java.base/java.time",
  "java.base/java.util",
  "java.base/java.util.concurrent",
  "java.base/java.util.concurrent.atomic",
  "java.base/java.util.concurrent.locks",
  "java.base/jdk.internal.ref",
  "java.base/sun.nio.ch",
  "java.base/sun.nio.cs",
  "java.base/sun.security.action",
  "java.base/sun.util.calendar",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Engine:
  """A distributed engine that a Beam job server can embed.

  Attributes:
    name: the value of `beam.runner`.
    artifact: the Maven artifact in the fetched folder, with its dependencies;
      group:artifact:version.
    single_jar: the Maven artifact of Beam's own job server for this engine, all in one jar.
    main_class: the Java class to start if the job server is a folder of jars.
  """

  name: str
  artifact: str
  single_jar: str
  main_class: str


ENGINES = {
  "flink": Engine(
    name="flink",
    artifact="org.apache.beam:beam-runners-flink-1.19:2.62.0",
    single_jar="org.apache.beam:beam-runners-flink-1.18-job-server:2.59.0",
    main_class="org.apache.beam.runners.flink.FlinkJobServerDriver",
  ),
  "spark": Engine(
    name="spark",
    artifact="org.apache.beam:beam-runners-spark-3:2.62.0",
    single_jar="org.apache.beam:beam-runners-spark-3-job-server:2.59.0",
    main_class="org.apache.beam.runners.spark.SparkJobServerDriver",
  ),
}


def job_servers_dir(environ: Mapping[str, str]) -> pathlib.Path:
  """Returns the folder that `scripts/fetch-beam-job-servers.sh` fills, one folder per engine."""
  chosen = environ.get("DLPIPE_JOB_SERVERS")
  if chosen:
    return pathlib.Path(chosen)
  cache = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
  return pathlib.Path(cache) / "dlpipe" / "job-servers"


def check_engine(beam: BeamConfig, environ: Mapping[str, str]) -> None:
  """Checks that this machine can start the configured engine, before anything is loaded or written.

  Raises:
    BadInputError: Flink or Spark should start here, but its job server or Java is missing; or
      `beam.runner` is dataflow, which cannot read the files of a run on this machine.
  """
  if beam.runner == "dataflow":
    raise BadInputError(
      "Dataflow's workers see no file of this machine, neither the input nor the workspace: a run "
      "here cannot use them. Compile the pipeline for Kubeflow or Vertex AI, with a "
      "kubeflow.pipeline_root in a bucket: dlpipe compile TASK --for kubeflow --beam dataflow."
    )
  engine = ENGINES.get(beam.runner)
  if engine is None:
    return
  parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
  parser.add_argument("--job_endpoint")
  parser.add_argument(f"--{engine.name}_submit_uber_jar", action="store_true", dest="uber_jar")
  parser.add_argument(f"--{engine.name}_job_server_jar", dest="jar", default=beam.job_server)
  parser.add_argument("--job_server_java_launcher", dest="java", default="java")
  options, _ = parser.parse_known_args(list(beam.options))
  if options.job_endpoint or options.uber_jar:
    return
  find_job_server(engine, options.jar, environ)
  find_java(options.java)


def find_job_server(
  engine: Engine, configured: str | None, environ: Mapping[str, str]
) -> pathlib.Path:
  """Finds the job server that `beam.job_server` names, or the fetched one.

  Returns:
    A jar, or a folder of jars.

  Raises:
    BadInputError: neither exists.
  """
  path = pathlib.Path(configured) if configured else job_servers_dir(environ) / engine.name
  if path.is_file() or (path.is_dir() and any(path.glob("*.jar"))):
    return path
  raise BadInputError(
    f"Beam on {engine.name} needs its job server: expected a jar or a folder of jars at "
    f"{str(path)!r}. Received: {'a folder without jars' if path.is_dir() else 'nothing there'}.\n"
    f"  scripts/fetch-beam-job-servers.sh {engine.name}\n"
    f"fetches {engine.artifact} and what it needs from Maven Central with mvn, and checks them. "
    f"Or take the single jar {engine.single_jar} from there, and name it: "
    "--set beam.job_server=PATH."
  )


def find_java(launcher: str) -> str:
  """Finds the path of the Java launcher.

  Raises:
    BadInputError: it is not installed.
  """
  found = shutil.which(launcher)
  if found is None:
    raise BadInputError(
      f"Beam's job server is a Java program, and there is no {launcher!r} on this machine's PATH. "
      "Install Java 11 or 17 (Debian: openjdk-17-jre-headless), or name the launcher: "
      "--set beam.options=[--job_server_java_launcher=PATH]."
    )
  return found


def java_command(engine: Engine, java: str, server: pathlib.Path, *jvm_options: str) -> list[str]:
  """Returns the command that starts a job server, without the server's own arguments."""
  opened = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED]
  program = (
    ["-cp", os.path.join(server, "*"), engine.main_class]
    if server.is_dir()
    else ["-jar", str(server)]
  )
  # Each engine logs hundreds of lines per pipeline.
  quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Dlog4j2.level=FATAL"]
  return [java, *opened, *quiet, *jvm_options, *program]
