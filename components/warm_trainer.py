"""`Trainer`: TFX's, which is told which served model it may begin from (`train.warm_start`).

A training depends on the model that it begins from, so that model is a part of the cache key. But
the model that is served changes by the training itself: with the served model in the key, nothing
would ever be cached. So the first training of some data, code and settings decides, and the same
training asked for again is told the same model. TFX's own `base_model` would be an input, which a
driver cannot choose.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tfx.components.trainer import component
from tfx.dsl.components.base import base_driver
from tfx.dsl.io import fileio
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components.training_base import SETTING
from components.versioned_pusher import version_folders

_CONFIG = "custom_config"
_IDENTITY, _BASE = "training_identity", "training_base"
# Where a workspace lies is no part of a training.
_PLACES = ("checkpoint_root", "serving_dir")


class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
  """Adds the model to begin from to the Trainer's `custom_config`."""

  def __init__(self, metadata_handle: metadata.Metadata):
    base_driver.BaseDriver.__init__(self, metadata_handle)
    portable_base_driver.BaseDriver.__init__(self, metadata_handle)

  def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
    """Looks for an earlier training of the same, else at what is served."""
    properties = execution_info.exec_properties
    config = json_utils.loads(properties[_CONFIG])
    identity = _identity(execution_info, config)
    earlier = self._earlier(identity)
    base = earlier if earlier is not None else _served(config["serving_dir"])
    result = driver_output_pb2.DriverOutput()
    said = json_utils.dumps({**config, SETTING: base})
    for key, value in {**properties, _CONFIG: said}.items():
      if value is not None:
        data_types_utils.set_metadata_value(result.exec_properties[key], value)
    model = copy.deepcopy(execution_info.output_dict["model"][0].mlmd_artifact)
    model.custom_properties[_IDENTITY].string_value = identity
    model.custom_properties[_BASE].string_value = json.dumps(base)
    result.output_artifacts["model"].artifacts.append(model)
    return result

  def _earlier(self, identity: str) -> dict[str, Any] | None:
    """Returns what an earlier training of the same began from; None if there is none."""
    with self._metadata_handle as handle:
      known = {each.name for each in handle.store.get_artifact_types()}
      name = standard_artifacts.Model.TYPE_NAME
      models = handle.store.get_artifacts_by_type(name) if name in known else []
    for model in sorted(models, key=lambda each: -each.id):
      said = model.custom_properties
      is_same = _IDENTITY in said and said[_IDENTITY].string_value == identity
      if is_same and fileio.exists(model.uri) and fileio.listdir(model.uri):
        base: dict[str, Any] = json.loads(said[_BASE].string_value)
        return base
    return None


class Trainer(component.Trainer):
  """TFX's Trainer with a driver that knows which model is served."""

  DRIVER_CLASS = Driver


def _served(serving_dir: str) -> dict[str, Any]:
  """Returns version and hash of the served model; empty if there is none, or it is damaged."""
  versions = version_folders.list_versions(serving_dir)
  if not versions or version_folders.is_damaged(serving_dir, max(versions)):
    return {}
  record = version_folders.version_record(serving_dir, max(versions))
  if "sha256" not in record:
    return {}
  return {"version": max(versions), "sha256": record["sha256"]}


def _identity(execution_info: data_types.ExecutionInfo, config: Mapping[str, Any]) -> str:
  inputs = {
    name: sorted(artifact.id for artifact in artifacts)
    for name, artifacts in execution_info.input_dict.items()
  }
  said = {name: str(value) for name, value in execution_info.exec_properties.items()}
  said[_CONFIG] = json.dumps(
    {name: value for name, value in config.items() if name not in _PLACES}, sort_keys=True
  )
  return hashlib.sha256(json.dumps([inputs, said], sort_keys=True).encode()).hexdigest()
