"""Beam's options for the configured runner: the same for pipelines and for batch predictions.

Imports Beam and no TFX, whose import takes longer than most batches.
"""

from __future__ import annotations

import pathlib

from apache_beam.options.pipeline_options import StandardOptions

from pipeline.config import PipelineConfig

_REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


def beam_args(config: PipelineConfig) -> list[str]:
  """Beam's options for the configured runner.

  Raises:
    KeyError: `config.beam.runner` is none of ours; the configuration has checked it.
  """
  if config.beam.runner == "direct":
    # Beam's newer DirectRunner first tries to download a binary; this is what it used to mean.
    known = "FnApiRunner" in StandardOptions.KNOWN_RUNNER_NAMES
    # One worker in this process: threads share Python's lock and were slower in every measurement.
    return [
      f"--runner={'FnApiRunner' if known else 'DirectRunner'}",
      "--direct_running_mode=in_memory",
      "--direct_num_workers=1",
      # Workers in this process need no image. Naming one keeps TFX from packing its own sources
      # for them before every node, which takes two seconds and leaves the copy in /tmp.
      "--sdk_container_image=none",
      *config.beam.options,
    ]
  runner = {"flink": "FlinkRunner", "spark": "SparkRunner", "dataflow": "DataflowRunner"}
  args = [f"--runner={runner[config.beam.runner]}", *config.beam.options]
  packaged = ("--setup_file", "--sdk_container_image", "--extra_package", "--requirements_file")
  if not any(option.startswith(packaged) for option in config.beam.options):
    args.append(f"--setup_file={_REPOSITORY / 'setup.py'}")
  return args
