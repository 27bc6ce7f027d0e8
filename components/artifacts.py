"""The artifact types of our own; everything else is a TFX standard type.

Imported by components and by the assembly. Imports only TFX's artifact base class. A type is named
as the attribute of `components` that it is, which is how Kubeflow finds its class.
"""

from tfx.types import artifact

# A custom property: 1 says that the node which made the artifact runs again in the next run,
# whatever the cache holds.
TRY_AGAIN = "try_again"


class Quarantine(artifact.Artifact):
  """The records that a source could not use, and what it counted.

  The directory holds `summary.json`, a `components.source_example_gen.summary.Summary`, and
  `rejected.jsonl`, one rejected record a line, with its `label` if that is known.
  """

  TYPE_NAME = "components.Quarantine"


class GateVerdict(artifact.Artifact):
  """The checks and findings of `DataGate`; exists only if the data passed.

  The directory holds `verdict.json`, a `components.data_gate.DataVerdict`.
  """

  TYPE_NAME = "components.GateVerdict"


class Predictions(artifact.Artifact):
  """What a model says of each val and eval example, with the example's origin.

  The directory holds `predictions.parquet`, whose columns `pipeline.rows.predictions` lists, and
  `shown.json`, the inputs of the rows that a report shows; `reasons.json`, why the model answers
  some of these as it does, a `pipeline.rows.reasons.Reasons`; and `baseline.json`, a
  `pipeline.suspects.baseline.Baseline`, unless no cheap model could be compared.
  """

  TYPE_NAME = "components.Predictions"


class ModelVerdict(artifact.Artifact):
  """The verdict of the gates on a model's metrics, judged once.

  The directory holds `verdict.json`, a `dlpipe.verdicts.Verdict`.
  """

  TYPE_NAME = "components.ModelVerdict"


class Profile(artifact.Artifact):
  """What the data of a run look like.

  The directory holds `data_profile.json`, a `pipeline.drift.profile.Profile`, and of a window of
  several spans `newest_profile.json`, that of the newest.
  """

  TYPE_NAME = "components.Profile"


class DriftVerdict(artifact.Artifact):
  """How the data of a run differ from those of the served version; exists only if they passed.

  The directory holds `drift.json`, a `pipeline.drift.verdict.Drift`. The custom properties `data`
  and `reference` tell which data were compared with which, and `drifted` how many features changed.
  """

  TYPE_NAME = "components.DriftVerdict"
