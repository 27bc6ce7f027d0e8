"""`PreviousBlessedModel`: which model a candidate is compared with.

TFX's LatestBlessedModelStrategy answers with the latest blessed model of all, which, when nothing
changed, is the cached candidate itself: the Evaluator's input differs from the first run's and it
runs again to compare a model with itself. The model before the candidate is the same in each run.
"""

from __future__ import annotations

from ml_metadata import MetadataStore
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.dsl.io import fileio

from dlpipe.progress import report

MODEL = "model"
MODEL_BLESSING = "model_blessing"
CANDIDATE = "candidate"


class PreviousBlessedModel(resolver.ResolverStrategy):
  """Resolves the latest blessed model that is older than the candidate, and still there.

  The Resolver's channels are `model`, every Model; `model_blessing`, every ModelBlessing; and
  `candidate`, the Trainer's output.
  """

  def resolve_artifacts(
    self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
  ) -> dict[str, list[types.Artifact]]:
    """Returns at most one model with its blessing; the candidate passes through."""
    candidates = input_dict[CANDIDATE]
    first = min((artifact.id for artifact in candidates), default=None)
    blessings = {
      blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): blessing
      for blessing in input_dict[MODEL_BLESSING]
      if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 1
    }
    older = [
      model
      for model in input_dict[MODEL]
      if model.id in blessings and (first is None or model.id < first)
    ]
    older.sort(key=lambda model: model.id)
    latest = [model for model in older if fileio.exists(model.uri)][-1:]
    if older[-1:] != latest:
      then = f"compared with {latest[0].uri}" if latest else "compared with none"
      report(f"The model before, {older[-1].uri}, is gone: {then}")
    return {
      MODEL: latest,
      MODEL_BLESSING: [blessings[model.id] for model in latest],
      CANDIDATE: candidates,
    }
