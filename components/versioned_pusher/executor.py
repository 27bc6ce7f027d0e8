"""What `VersionedPusher` does when it runs: asks both blessings, then publishes."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.versioned_pusher.publish import (
  is_damaged,
  list_versions,
  publish,
  version_record,
)
from dlpipe.errors import BadInputError
from dlpipe.progress import report

MODEL = "model"
MODEL_BLESSING = "model_blessing"
INFRA_BLESSING = "infra_blessing"
PUSHED_MODEL = "pushed_model"
SERVING_DIR = "serving_dir"
DATA_OPTIONS = "data_options"
CODE_FINGERPRINT = "code_fingerprint"


class Executor(base_executor.BaseExecutor):
  """Publishes a blessed model; records of any other that it was not pushed."""

  def Do(  # noqa: N802 - TFX's name
    self,
    input_dict: dict[str, list[types.Artifact]],
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
  ) -> None:
    """Publishes the model as the next version in the served directory.

    Args:
      input_dict: `model`, `model_blessing` and `infra_blessing`, one artifact each.
      output_dict: `pushed_model`, one artifact.
      exec_properties: `serving_dir` and `data_options`.

    Raises:
      BadInputError: the model or the served directory is not on a local file system.
      DlpipeError: the served directory cannot be written.
    """
    model = artifact_utils.get_single_instance(input_dict[MODEL])
    pushed = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL])
    refused_by = [
      gate
      for gate, blessed in (
        ("Evaluator", model_utils.is_model_blessed(_only(input_dict, MODEL_BLESSING))),
        ("ServingGate", model_utils.is_infra_validated(_only(input_dict, INFRA_BLESSING))),
      )
      if not blessed
    ]
    if refused_by:
      pushed.set_int_custom_property("pushed", 0)
      _write(pushed, {"pushed": False, "refused_by": refused_by})
      report(f"Not pushed: refused by {' and '.join(refused_by)}", refused_by=refused_by)
      return
    base = exec_properties[SERVING_DIR]
    source = path_utils.serving_model_path(model.uri)
    for path in (base, source):
      if "://" in path:
        raise BadInputError(
          f"VersionedPusher publishes by rename on a local file system. Received: {path!r}. Mount "
          "the bucket, or push with a component made for that store."
        )
    version = publish(
      source,
      base,
      source=model.uri,
      # What an older release compiled has none.
      data_options=json.loads(exec_properties.get(DATA_OPTIONS) or "{}"),
    )
    destination = os.path.join(base, str(version))
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_destination", destination)
    pushed.set_string_custom_property("pushed_version", str(version))
    newest = max(list_versions(base))
    values = {"pushed": True, "version": version, "destination": destination}
    repairs = version_record(base, version).get("repairs")
    if repairs is not None:
      values["repairs"] = repairs
    _write(pushed, values)
    if repairs is not None:
      report(
        f"Version {repairs} in {base} is damaged; pushed the model again as version {version}",
        version=version,
        serving_dir=base,
      )
    elif newest == version:
      report(f"Pushed version {version} to {base}", version=version, serving_dir=base)
    elif is_damaged(base, version):
      report(f"Version {version} in {base} is damaged; version {newest} stays served")
    else:
      report(f"Version {version} is in {base} already; version {newest} stays served")


def _only(input_dict: dict[str, list[types.Artifact]], key: str) -> types.Artifact:
  return artifact_utils.get_single_instance(input_dict[key])


def _write(pushed: types.Artifact, values: dict[str, Any]) -> None:
  with fileio.open(os.path.join(pushed.uri, "pushed.json"), "w") as f:
    f.write(json.dumps(values, indent=2))
