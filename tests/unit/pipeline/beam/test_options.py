"""Beam's options by runner."""

import pathlib
import subprocess
import sys
import tarfile

import pytest
from apache_beam.options.pipeline_options import (
  FlinkRunnerOptions,
  PipelineOptions,
  PortableOptions,
  SetupOptions,
  SparkRunnerOptions,
  StandardOptions,
)
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.stager import Stager

from dlpipe.errors import BadInputError
from pipeline.beam import options as beam_options
from pipeline.beam.options import beam_args, is_embedded
from pipeline.settings.config import BeamConfig, PipelineConfig

_REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
_CLOUD = ("--project=p", "--region=europe-west1", "--temp_location=gs://b/temp")


def _args(runner, *options, job_server=None):
  beam = BeamConfig(runner=runner, options=options, job_server=job_server)
  return beam_args(PipelineConfig(task="t", data_path="", workspace="/w", beam=beam))


def test_the_direct_runner_works_in_this_process_and_later_options_win():
  options = PipelineOptions(_args("direct", "--direct_num_workers=2"))
  values = options.get_all_options()
  assert values["direct_running_mode"] == "in_memory"
  assert values["direct_num_workers"] == 2
  assert options.view_as(StandardOptions).runner in ("DirectRunner", "FnApiRunner")


@pytest.mark.parametrize(("runner", "name"), [("flink", "FlinkRunner"), ("spark", "SparkRunner")])
def test_without_options_an_engine_is_embedded_and_this_process_is_its_worker(runner, name):
  options = PipelineOptions(_args(runner))
  assert options.view_as(StandardOptions).runner == f"pipeline.beam.job_server.{name}"
  assert options.view_as(PortableOptions).environment_type == "LOOPBACK"
  assert options.view_as(SetupOptions).setup_file is None


def test_an_embedded_engine_works_on_one_thing_at_a_time_unless_told():
  flink = PipelineOptions(_args("flink")).view_as(FlinkRunnerOptions)
  assert (flink.flink_master, flink.parallelism) == ("[local]", 1)
  assert PipelineOptions(_args("spark")).view_as(SparkRunnerOptions).spark_master_url == "local[1]"
  wider = PipelineOptions(_args("flink", "--parallelism=2")).view_as(FlinkRunnerOptions)
  assert wider.parallelism == 2


def test_the_job_server_is_named_by_the_engines_option():
  flink = PipelineOptions(_args("flink", job_server="/jars/flink.jar"))
  assert flink.view_as(FlinkRunnerOptions).flink_job_server_jar == "/jars/flink.jar"
  spark = PipelineOptions(_args("spark", job_server="/jars/spark"))
  assert spark.view_as(SparkRunnerOptions).spark_job_server_jar == "/jars/spark"


@pytest.mark.parametrize(
  ("runner", "option", "embedded"),
  [
    ("flink", "--flink_master=[local]", True),
    ("flink", "--parallelism=2", True),
    ("flink", "--flink_master=cluster:8081", False),
    ("flink", "--job_endpoint=localhost:8099", False),
    ("flink", "--environment_type=DOCKER", False),
    ("spark", "--spark_master_url=local[2]", True),
    ("spark", "--spark_master_url=local", True),
    ("spark", "--spark_master_url=spark://cluster:7077", False),
  ],
)
def test_a_cluster_gets_our_sources_and_an_embedded_engine_does_not(runner, option, embedded):
  args = _args(runner, option)
  assert is_embedded(BeamConfig(runner=runner, options=(option,))) is embedded
  assert any(arg.startswith("--setup_file=") for arg in args) is not embedded
  assert ("--environment_type=LOOPBACK" in args) is embedded
  assert option in args


def test_workers_that_have_our_sources_are_sent_none():
  args = _args("flink", "--flink_master=cluster:8081", "--sdk_container_image=ours:1")
  assert not any(arg.startswith("--setup_file") for arg in args)


def test_dataflow_gets_our_sources():
  args = _args("dataflow", *_CLOUD)
  assert args[0] == "--runner=DataflowRunner"
  assert PipelineOptions(args).view_as(SetupOptions).setup_file.endswith("/setup.py")


def test_what_beam_stages_for_workers_is_every_file_of_our_packages(tmp_path):
  options = PipelineOptions(_args("dataflow", *_CLOUD))
  [staged] = Stager.create_job_resources(options, str(tmp_path))
  archive = beam_runner_api_pb2.ArtifactFilePayload.FromString(staged.type_payload).path
  with tarfile.open(archive) as tar:
    names = {name.partition("/")[2] for name in tar.getnames()}
  wanted = {
    str(path.relative_to(_REPOSITORY))
    for package in ("components", "data", "dlpipe", "pipeline", "schemas", "serving")
    for path in (_REPOSITORY / package).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    # What makes the clients a distribution of their own; their package is staged.
    if path.parent != _REPOSITORY / "serving" / "client"
  }
  assert len(wanted) > 250
  assert wanted - names == set()
  assert {"setup.py", "pyproject.toml"} <= names


def test_sources_that_are_not_there_are_asked_for(monkeypatch, tmp_path):
  monkeypatch.setattr(beam_options, "_REPOSITORY", tmp_path)
  with pytest.raises(BadInputError, match="Run from a checkout"):
    _args("dataflow", *_CLOUD)


def test_dataflow_names_every_option_it_misses():
  with pytest.raises(BadInputError, match="needs --region, --temp_location"):
    _args("dataflow", "--project=p")


@pytest.mark.parametrize("option", ["--temp_location=/tmp/x", "--staging_location=gs:///x"])
def test_dataflow_stages_in_a_bucket_only(option):
  with pytest.raises(BadInputError, match=f"{option.split('=')[0]} must be a folder in a bucket"):
    _args("dataflow", *_CLOUD, option)


def test_importing_it_loads_no_tfx():
  code = "import sys, pipeline.beam.options; print({'tfx', 'tensorflow'} & set(sys.modules))"
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert done.stdout == "set()\n"
