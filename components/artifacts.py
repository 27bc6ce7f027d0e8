"""The artifact types of our own; everything else is a TFX standard type.

Imported by components and by the assembly. Imports only TFX's artifact base class. A type is named
as the attribute of `components` that it is, which is how Kubeflow finds its class.
"""

from tfx.types import artifact

# A custom property: 1 says that the node which made the artifact runs again in the next run,
# whatever the cache holds.
TRY_AGAIN = "try_again"


class Quarantine(artifact.Artifact):
  """What a source could not use, and what was counted on the way.

  The directory holds `summary.json`, `{"examples": {split: n}, "quarantined": n, "labels": {split:
  {label: n}}, "reasons": {reason: n}, "recognized": {...}, "lost": {...}}`, and `rejected.jsonl`,
  one rejected record a line, with its `label` where that is known. `recognized` is what the source
  took the input for, as `Recognized.to_json` writes it: its `classes` {label: inputs} are those
  that the input names, read or not. It is empty where a source does not say. `lost` names the
  classes of which nothing could be used, {label: {"inputs", "named", "reasons"}}.
  """

  TYPE_NAME = "components.Quarantine"


class GateVerdict(artifact.Artifact):
  """What `DataGate` found; exists only where the data passed.

  The directory holds `verdict.json`, `{"passed": true, "checks": [{"name", "passed", "value",
  "bound", "reason"}], "findings": [{"name", "level", "count", "what", "advice", "details"}]}`.
  """

  TYPE_NAME = "components.GateVerdict"


class ModelVerdict(artifact.Artifact):
  """What the gates on a model's metrics said, judged once.

  The directory holds `verdict.json`, `{"passed": bool, "gates": [{"metric", "bound", "value",
  "passed", "reason", "interval"}], "warnings": [sentence]}`; what was not measured is null. The
  model passed where every gate did.
  """

  TYPE_NAME = "components.ModelVerdict"
