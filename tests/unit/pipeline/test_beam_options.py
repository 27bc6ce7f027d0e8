"""Beam's options by runner."""

import subprocess
import sys

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions

from pipeline.beam_options import beam_args
from pipeline.config import BeamConfig, PipelineConfig


def _config(runner, *options):
  return PipelineConfig(
    task="t", data_path="", workspace="/w", beam=BeamConfig(runner=runner, options=options)
  )


def test_the_direct_runner_works_in_this_process_and_later_options_win():
  options = PipelineOptions(beam_args(_config("direct", "--direct_num_workers=2")))
  values = options.get_all_options()
  assert values["direct_running_mode"] == "in_memory"
  assert values["direct_num_workers"] == 2
  assert options.view_as(StandardOptions).runner in ("DirectRunner", "FnApiRunner")


@pytest.mark.parametrize(
  ("runner", "name"),
  [("flink", "FlinkRunner"), ("spark", "SparkRunner"), ("dataflow", "DataflowRunner")],
)
def test_other_runners_get_our_sources_unless_they_are_told_how(runner, name):
  options = PipelineOptions(beam_args(_config(runner)))
  assert options.view_as(StandardOptions).runner == name
  assert options.view_as(SetupOptions).setup_file.endswith("/setup.py")
  packaged = beam_args(_config(runner, "--sdk_container_image=ours:1"))
  assert packaged == [f"--runner={name}", "--sdk_container_image=ours:1"]


def test_importing_it_loads_no_tfx():
  code = "import sys, pipeline.beam_options; print({'tfx', 'tensorflow'} & set(sys.modules))"
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  assert done.stdout == "set()\n"
