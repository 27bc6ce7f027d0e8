"""The driver of `SourceExampleGen`: makes the state of the input files a part of the cache key.

TFX looks for a cached result after the driver ran, among executions with equal properties; adding
the plan's fingerprint to them re-runs the component exactly when the input changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tfx.components.example_gen import utils
from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.source_example_gen import sources
from dlpipe.errors import DlpipeError

FINGERPRINT_KEY = utils.FINGERPRINT_PROPERTY_NAME  # "input_fingerprint", TFX's own name for it


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
  """Adds the input's fingerprint to the execution and to the examples."""

  def __init__(self, metadata_handle: metadata.Metadata):
    base_driver.BaseDriver.__init__(self, metadata_handle)
    portable_base_driver.BaseDriver.__init__(self, metadata_handle)

  def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
    """Plans the source.

    Raises:
      BadInputError: the source cannot use the input.
    """
    fingerprint = sources.make_plan(execution_info.exec_properties).fingerprint
    result = driver_output_pb2.DriverOutput()
    for key, value in {**execution_info.exec_properties, FINGERPRINT_KEY: fingerprint}.items():
      if value is not None:
        data_types_utils.set_metadata_value(result.exec_properties[key], value)
    examples = copy.deepcopy(execution_info.output_dict["examples"][0].mlmd_artifact)
    examples.custom_properties[FINGERPRINT_KEY].string_value = fingerprint
    # Resolvers such as LatestArtifact and SpansResolver read this from every Examples artifact.
    span = sources.last_span(execution_info.exec_properties)
    examples.custom_properties[utils.SPAN_PROPERTY_NAME].int_value = span
    result.output_artifacts["examples"].artifacts.append(examples)
    return result


def require_unchanged(exec_properties: Mapping[str, Any], fingerprint: str) -> None:
  """Refuses an input that is another than the driver saw.

  Raises:
    DlpipeError: the input changed while the run was starting.
  """
  if exec_properties.get(FINGERPRINT_KEY, fingerprint) != fingerprint:
    raise DlpipeError(
      f"The input {exec_properties['data_path']} changed while the run was starting. "
      "Run again when nothing writes to it any more."
    )
