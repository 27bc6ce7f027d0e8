"""What `ServingGate` does when it runs: replays, writes the proof, blesses or does not."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.progress import report
from components.serving_gate.replay import read_expectations, replay

MODEL = "model"
MODEL_RUN = "model_run"
BLESSING = "blessing"
TOLERANCE = "tolerance"
CODE_FINGERPRINT = "code_fingerprint"
PARITY_FILE = "parity.json"
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
    """Writes `parity.json` and the blessing; a refused model is no failure of the component.

    Args:
      input_dict: `model` and `model_run`, one artifact each, of the same training.
      output_dict: `blessing`, one artifact.
      exec_properties: `tolerance`.

    Raises:
      BadInputError: `tolerance` is negative.
      DlpipeError: the training left nothing to replay.
    """
    model = artifact_utils.get_single_instance(input_dict[MODEL])
    blessing = artifact_utils.get_single_instance(output_dict[BLESSING])
    expectations = read_expectations(artifact_utils.get_single_uri(input_dict[MODEL_RUN]))
    parity = replay(
      path_utils.serving_model_path(model.uri),
      expectations,
      tolerance=exec_properties[TOLERANCE],
    )
    _write(blessing, PARITY_FILE, json.dumps(parity.to_json(), indent=2, allow_nan=False))
    _write(blessing, _BLESSED_FILE if parity.passed else _NOT_BLESSED_FILE, "")
    blessing.set_int_custom_property("blessed", int(parity.passed))
    if parity.passed:
      report(
        f"The export answers as the trained model on {parity.rows} rows through "
        f"{len(parity.paths)} paths",
        rows=parity.rows,
        passed=True,
      )
    else:
      size = ""
      if worst := parity.largest:
        size = (
          f"; the largest difference is {worst.max_difference:.4g}, in {worst.output} of "
          f"{worst.signature} ({worst.loader} loader, batch of {worst.batch})"
        )
      report(f"The export is refused: {parity.reasons[0]}{size}", rows=parity.rows, passed=False)


def _write(blessing: types.Artifact, name: str, text: str) -> None:
  with fileio.open(os.path.join(blessing.uri, name), "w") as f:
    f.write(text)
