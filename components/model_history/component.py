"""The nodes around the history of models.

`ModelHistory` asks it, `PreviousModel` hands the answer on, `RecordBlessing` writes it. Asking
and handing on are two nodes for the cache: the first must run in every run, the second is given the
answer as a parameter, so that as long as the answer is the same its artifact is, too, and what
depends on it stays cached.
"""

# No `from __future__ import annotations` here: `@component` reads real annotations.
import os
from typing import TypedDict

from tfx.components.util import model_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from components.model_history import history
from components.model_history.history import NO_MODEL_FILE


class Answer(TypedDict):
  """`previous` is a model's URI; empty if there is none."""

  previous: str


@component
def ModelHistory(  # noqa: N802 - TFX takes the component's class name from the function
  candidate: InputArtifact[standard_artifacts.Model],
  history_path: Parameter[str],
) -> Answer:
  """Finds the latest blessed model before the candidate. Must not be cached.

  Args:
    candidate: the Trainer's model.
    history_path: the history's file, on a file system that outlives the run.
  """
  return {"previous": history.previous_blessed(history_path, candidate.uri) or ""}


@component
def PreviousModel(  # noqa: N802
  previous: Parameter[str],
  model: OutputArtifact[standard_artifacts.Model],
):
  """Stands for the model at a URI; for none, holds a file that says so.

  Args:
    previous: the URI, or an empty string.
    model: points to the model; nothing is copied.
  """
  if previous:
    model.uri = previous
    return
  with fileio.open(os.path.join(model.uri, NO_MODEL_FILE), "w") as f:
    f.write("No model was blessed before.\n")


@component
def RecordBlessing(  # noqa: N802
  candidate: InputArtifact[standard_artifacts.Model],
  blessing: InputArtifact[standard_artifacts.ModelBlessing],
  history_path: Parameter[str],
):
  """Notes in the history whether the candidate is blessed.

  Args:
    candidate: the Trainer's model.
    blessing: the Evaluator's.
    history_path: the history's file.
  """
  history.record_blessing(
    history_path, candidate.uri, blessed=model_utils.is_model_blessed(blessing)
  )
