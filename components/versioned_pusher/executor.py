"""Runs `VersionedPusher`: reads the blessing of every gate, then publishes."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.artifacts import ModelVerdict, Predictions, Profile, Quarantine
from components.versioned_pusher import mirror, stages
from components.versioned_pusher.candidates import CANDIDATES, hold, list_candidates
from components.versioned_pusher.publish import publish
from components.versioned_pusher.version_folders import (
  is_damaged,
  list_versions,
  version_record,
)
from dlpipe import nodes
from dlpipe.artifact_files import ArtifactFile
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.progress import report
from dlpipe.workspace import TaskFolder

MODEL = "model"
PUSHED_MODEL = "pushed_model"
SERVING_DIR = "serving_dir"
DATA_OPTIONS = "data_options"
CARD, CARD_FACTS = "card", "card_facts"
# The artifacts that a model card is written from, beside the blessings: name of the input to type.
CARD_INPUTS = {
  "quarantine": Quarantine,
  "model_run": standard_artifacts.ModelRun,
  "evaluation": standard_artifacts.ModelEvaluation,
  "profile": Profile,
  "predictions": Predictions,
  **{
    gate.verdict_input: ModelVerdict
    for gate in nodes.model_gates().values()
    if gate.verdict_input != gate.pusher_input
  },
}
STAGE = "stage"
COPY_TO = "copy_to"
CODE_FINGERPRINT = "code_fingerprint"
# Custom properties of the PushedModel, as TFX's own Pusher calls them.
IS_PUSHED = "pushed"
DESTINATION = "pushed_destination"
VERSION = "pushed_version"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pushed(ArtifactFile):
  """`pushed.json` of a `PushedModel`; a field that is None is not in the file.

  Attributes:
    pushed: whether the model is served.
    version: its number.
    destination: the directory of the version.
    repairs: the damaged version in whose place it was published.
    refused_by: the nodes that refused it.
  """

  FILE: ClassVar[str] = "pushed.json"

  pushed: bool
  version: int | None = None
  destination: str | None = None
  repairs: int | None = None
  refused_by: list[str] | None = None

  def to_json(self) -> dict[str, Any]:
    """Returns the content of the file."""
    return {name: value for name, value in super().to_json().items() if value is not None}


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
      input_dict: `model`, the blessing of each gate by its `pusher_input`, one artifact each, and
        `CARD_INPUTS`, which may be missing.
      output_dict: `pushed_model`, one artifact.
      exec_properties: `serving_dir`, `data_options`, `stage`, `copy_to`, `card` and
        `card_facts`.

    Raises:
      BadInputError: the model or the served directory is not on a local file system, the file of
        labels and pins is damaged, or the pipeline asks no gate of some kind.
      DlpipeError: the served directory or the store of `copy_to` cannot be written. The version may
        be served by then; trying again copies it.
    """
    model = artifact_utils.get_single_instance(input_dict[MODEL])
    pushed = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL])
    refused_by = [
      node.id
      for node, gate in nodes.model_gates().items()
      if not _is_blessed(_blessing_of(node, gate, input_dict))
    ]
    if refused_by:
      pushed.set_int_custom_property(IS_PUSHED, 0)
      _write(pushed, Pushed(pushed=False, refused_by=refused_by))
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
    folder = TaskFolder.of_serving(base)
    stages.read(folder)  # if it is damaged, nothing is published
    # A pipeline that an older release compiled names no stage.
    is_candidate = exec_properties.get(STAGE) == stages.CANDIDATE
    put = hold if is_candidate else publish
    version = put(
      source,
      base,
      source=model.uri,
      # A pipeline that an older release compiled has none.
      data_options=json.loads(exec_properties.get(DATA_OPTIONS) or "{}"),
      card=_card(input_dict, exec_properties),
    )
    mirror.remember(folder, exec_properties.get(COPY_TO))
    is_candidate = is_candidate and version in list_candidates(base)
    destination = os.path.join(base, *([CANDIDATES] if is_candidate else ()), str(version))
    pushed.set_int_custom_property(IS_PUSHED, 1)
    pushed.set_string_custom_property(DESTINATION, destination)
    pushed.set_string_custom_property(VERSION, str(version))
    if is_candidate:
      _write(pushed, Pushed(pushed=True, version=version, destination=destination))
      report(f"Holds version {version} in {destination} until it is promoted", version=version)
      return
    stages.refresh(folder)
    if address := mirror.copy_live(folder):
      report(f"What is live is copied to {address}", address=address)
    repairs = version_record(base, version).get("repairs")
    _write(pushed, Pushed(pushed=True, version=version, destination=destination, repairs=repairs))
    _report_version(base, version, repairs)


def _report_version(base: str, version: int, repairs: int | None) -> None:
  newest = max(list_versions(base))
  if repairs is not None:
    said = f"Version {repairs} in {base} is damaged; pushed the model again as version {version}"
    report(said, version=version, serving_dir=base)
  elif newest == version:
    report(f"Pushed version {version} to {base}", version=version, serving_dir=base)
  elif is_damaged(base, version):
    report(f"Version {version} in {base} is damaged; version {newest} stays served")
  else:
    report(f"Version {version} is in {base} already; version {newest} stays served")


def _card(
  inputs: Mapping[str, list[types.Artifact]], exec_properties: Mapping[str, Any]
) -> dict[str, str]:
  """Returns the files of the model card; none for a pipeline that names no function for it."""
  function = exec_properties.get(CARD)
  if not function:
    return {}
  directories = {name: [artifact.uri for artifact in some] for name, some in inputs.items()}
  written: dict[str, str] = load_function(function)(
    directories, json.loads(exec_properties[CARD_FACTS])
  )
  return written


def _blessing_of(
  node: nodes.Node, gate: nodes.ModelGate, input_dict: Mapping[str, list[types.Artifact]]
) -> types.Artifact:
  """Returns the blessing of a gate.

  Raises:
    BadInputError: the pipeline was compiled before this gate was.
  """
  if not input_dict.get(gate.pusher_input):
    raise BadInputError(
      f"This pipeline was compiled by an older release: it has no {node.id}, and no model is "
      "served that a gate has not seen. Compile it again."
    )
  return artifact_utils.get_single_instance(input_dict[gate.pusher_input])


def _is_blessed(blessing: types.Artifact) -> bool:
  """Returns whether a gate let the model pass; TFX's two kinds of blessings share this name."""
  return bool(
    blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
    == constants.BLESSED_VALUE
  )


def _write(pushed: types.Artifact, content: Pushed) -> None:
  with fileio.open(os.path.join(pushed.uri, Pushed.FILE), "w") as f:
    f.write(content.to_text())
