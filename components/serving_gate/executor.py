"""Runs `ServingGate`: asks the export, writes the proof, and blesses it or does not."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import TRY_AGAIN
from components.serving_gate.expectations import read_expectations
from components.serving_gate.parity import Parity, prove
from components.serving_gate.serving_ops import ServingRelease, default_release, release_of_tag
from dlpipe.errors import BadInputError
from dlpipe.progress import report

MODEL = "model"
MODEL_RUN = "model_run"
BLESSING = "blessing"
MODEL_NAME = "model_name"
TOLERANCE = "tolerance"
MAX_LATENCY_MS = "max_latency_ms"
SERVING_RELEASE = "serving_release"
CODE_FINGERPRINT = "code_fingerprint"
LOG_FILE = "server.log"
# TFX's InfraValidator's names, so that whatever reads its blessings reads ours.
_BLESSED_FILE, _NOT_BLESSED_FILE = "INFRA_BLESSED", "INFRA_NOT_BLESSED"


class Executor(base_executor.BaseExecutor):
  """Blesses an export that answers as the trained model did."""

  def Do(  # noqa: N802 - TFX's name
    self,
    input_dict: dict[str, list[types.Artifact]],
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
  ) -> None:
    """Writes `parity.json` and the blessing; to refuse a model is no failure of the component.

    Args:
      input_dict: `model` and `model_run`, one artifact each, of the same training.
      output_dict: `blessing`, one artifact.
      exec_properties: `model_name`, `tolerance`, `max_latency_ms` if there is a limit, and
        `serving_release` if it is not the one that goes with this TensorFlow.

    Raises:
      BadInputError: `tolerance` is negative, `max_latency_ms` not positive, or `serving_release` no
        tag that is known.
      DlpipeError: the training left nothing to replay.
    """
    release = _release(exec_properties.get(SERVING_RELEASE))
    model = artifact_utils.get_single_instance(input_dict[MODEL])
    blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
    expectations = read_expectations(artifact_utils.get_single_uri(input_dict[MODEL_RUN]))
    parity = prove(
      path_utils.serving_model_path(model.uri),
      expectations,
      model_name=exec_properties[MODEL_NAME],
      tolerance=exec_properties[TOLERANCE],
      max_latency_ms=exec_properties.get(MAX_LATENCY_MS),
      release=release,
    )
    _write(blessing, Parity.FILE, parity.to_text(allow_nan=False))
    if parity.log and not parity.passed:
      _write(blessing, LOG_FILE, parity.log)
    _write(blessing, _BLESSED_FILE if parity.passed else _NOT_BLESSED_FILE, "")
    blessing.set_int_custom_property("blessed", int(parity.passed))
    if parity.is_only_slow:
      # The machine may have been busy: the next run measures again.
      blessing.set_int_custom_property(TRY_AGAIN, 1)
    report(_conclusion(parity), rows=parity.rows, passed=parity.passed)


def _release(tag: str | None) -> ServingRelease:
  if not tag:
    return default_release(tf.__version__)
  try:
    return release_of_tag(tag)
  except ValueError as err:
    raise BadInputError(f"push.serving_release: {err}. Received: {tag!r}") from err


def _conclusion(parity: Parity) -> str:
  if parity.passed:
    waits = ", ".join(f"{each.p99_ms:.3g} ms over {each.protocol}" for each in parity.latency)
    return (
      f"The export answers as the trained model on {parity.rows} rows through "
      f"{len(parity.paths)} paths; p99 {waits}"
    )
  size = ""
  if worst := parity.largest:
    size = (
      f"; the largest difference is {worst.max_difference:.4g}, in {worst.output} of "
      f"{worst.signature} ({worst.asked}, batch of {worst.batch})"
    )
  return f"The export is refused: {parity.reasons[0]}{size}"


def _write(blessing: types.Artifact, name: str, text: str) -> None:
  with fileio.open(os.path.join(blessing.uri, name), "w") as f:
    f.write(text)
