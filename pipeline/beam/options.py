"""Builds Beam's options for the configured runner, for pipelines and for batch predictions.

Imports Beam but not TFX, whose import takes longer than most batches.
"""

from __future__ import annotations

import argparse
import difflib
import pathlib
import re
from collections.abc import Sequence

from apache_beam.options.pipeline_options import (
  FlinkRunnerOptions,
  GoogleCloudOptions,
  PipelineOptions,
  PortableOptions,
  SparkRunnerOptions,
  StandardOptions,
)
from apache_beam.runners.portability.flink_runner import MAGIC_HOST_NAMES
from apache_beam.runners.portability.spark_runner import LOCAL_MASTER_PATTERN

from dlpipe.errors import BadInputError
from pipeline.settings.config import BeamConfig, PipelineConfig

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_PACKAGED = ("--setup_file", "--sdk_container_image", "--extra_package", "--requirements_file")
# Workers in this process need no image. If an image is named, TFX does not pack its own sources for
# them before every node, which takes two seconds and leaves a copy in /tmp.
_NO_IMAGE = "--sdk_container_image=none"


def beam_args(config: PipelineConfig) -> list[str]:
  """Returns Beam's options for the configured runner.

  Raises:
    BadInputError: `beam.options` lacks an option that the runner needs, or holds a wrong one.
  """
  beam = config.beam
  if beam.runner == "direct":
    return _direct(beam)
  if beam.runner == "dataflow":
    return _dataflow(beam)
  return _portable(beam)


def _direct(beam: BeamConfig) -> list[str]:
  _require_read_here(beam.options)
  # Newer Beam's DirectRunner first tries to download a binary; FnApiRunner is the older behaviour.
  known = "FnApiRunner" in StandardOptions.KNOWN_RUNNER_NAMES
  # One worker in this process: more threads share the GIL and were slower in every measurement.
  return [
    f"--runner={'FnApiRunner' if known else 'DirectRunner'}",
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    _NO_IMAGE,
    *beam.options,
  ]


def _require_read_here(options: Sequence[str]) -> None:
  """Refuses options that Beam would silently ignore: those of other engines, and misspelt ones.

  Called for the direct runner only, because the job servers of engines have options that Beam does
  not know.

  Raises:
    BadInputError: there is such an option; the message names the first.
  """
  for runner, of_engine in (("flink", FlinkRunnerOptions), ("spark", SparkRunnerOptions)):
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    of_engine._add_argparse_args(parser)
    said, _ = parser.parse_known_args(list(options))
    for name, value in vars(said).items():
      if value != parser.get_default(name):
        raise BadInputError(
          f"beam.options: --{name} is for beam.runner={runner}, and beam.runner is direct."
        )
  parsed = PipelineOptions(list(options))
  known = parsed.get_all_options()
  for name in parsed.get_all_options(retain_unknown_options=True):
    if name not in known:
      near = difflib.get_close_matches(name, known, n=1)
      hint = f" Did you mean --{near[0]}?" if near else ""
      raise BadInputError(f"beam.options: Beam knows no option --{name}.{hint}")


def is_embedded(beam: BeamConfig) -> bool:
  """Returns whether Flink or Spark runs in the job server, with this process as its worker."""
  options = PipelineOptions(list(beam.options))
  portable = options.view_as(PortableOptions)
  if portable.job_endpoint or portable.environment_type not in (None, "LOOPBACK"):
    return False
  if beam.runner == "flink":
    return options.view_as(FlinkRunnerOptions).flink_master in MAGIC_HOST_NAMES
  master = options.view_as(SparkRunnerOptions).spark_master_url
  return re.match(LOCAL_MASTER_PATTERN, master) is not None


def _portable(beam: BeamConfig) -> list[str]:
  runner = {"flink": "FlinkRunner", "spark": "SparkRunner"}[beam.runner]
  args = [f"--runner=pipeline.beam.job_server.{runner}"]
  if beam.job_server is not None:
    args.append(f"--{beam.runner}_job_server_jar={beam.job_server}")
  if not is_embedded(beam):
    return [*args, *beam.options, *_packages(beam)]
  # One worker, as with the direct runner: several would be threads of this process.
  local = {
    "flink": ("--flink_master=[local]", "--parallelism=1"),
    "spark": ("--spark_master_url=local[1]",),
  }[beam.runner]
  return [
    *args,
    *local,
    "--environment_type=LOOPBACK",
    # Without it, Spark connects to a new worker for each stage.
    "--environment_cache_millis=10000",
    _NO_IMAGE,
    *beam.options,
  ]


def _dataflow(beam: BeamConfig) -> list[str]:
  cloud = PipelineOptions(list(beam.options)).view_as(GoogleCloudOptions)
  missing = [name for name in ("project", "region", "temp_location") if not getattr(cloud, name)]
  if missing:
    raise BadInputError(
      f"Beam on Dataflow needs {', '.join(f'--{name}' for name in missing)}. Expected beam.options "
      "to hold --project=NAME, --region=NAME and --temp_location=gs://BUCKET/FOLDER. Received: "
      f"{list(beam.options)}"
    )
  for name in ("temp_location", "staging_location"):
    place = getattr(cloud, name)
    if place and not re.match(r"gs://[^/]+", place):
      raise BadInputError(
        f"Beam on Dataflow: --{name} must be a folder in a bucket, gs://BUCKET/FOLDER. Received: "
        f"{place!r}"
      )
  return ["--runner=DataflowRunner", *beam.options, *_packages(beam)]


def _packages(beam: BeamConfig) -> list[str]:
  """Returns the option that ships our sources to remote workers; empty if the user gave one."""
  if any(option.startswith(_PACKAGED) for option in beam.options):
    return []
  setup_file = _REPOSITORY / "setup.py"
  if not setup_file.is_file():
    raise BadInputError(
      f"Beam's workers elsewhere need our sources: expected {str(setup_file)!r}, which an "
      "installed package lacks. Run from a checkout, or name an image that holds them: "
      "--set beam.options=[--sdk_container_image=IMAGE]."
    )
  return [f"--setup_file={setup_file}"]
