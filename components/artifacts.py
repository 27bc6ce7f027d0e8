"""The artifact types of our own; everything else is a TFX standard type.

Imported by components and by the assembly. Imports only TFX's artifact base class. A type is named
as the attribute of `components` that it is, which is how Kubeflow finds its class.
"""

from tfx.types import artifact


class Quarantine(artifact.Artifact):
  """What a source could not use, and what was counted on the way.

  The directory holds `summary.json`, `{"examples": {split: n}, "quarantined": n, "labels": {split:
  {label: n}}}`, and `rejected.jsonl`, one rejected record a line.
  """

  TYPE_NAME = "components.Quarantine"


class GateVerdict(artifact.Artifact):
  """What `DataGate` found; exists only where the data passed.

  The directory holds `verdict.json`, `{"passed": true, "checks": [{"name", "passed", "value",
  "bound", "reason"}]}`.
  """

  TYPE_NAME = "components.GateVerdict"


class ModelVerdict(artifact.Artifact):
  """What the gates on a model's metrics said, judged once.

  The directory holds `verdict.json`, `{"passed": bool, "gates": [{"metric", "bound", "value",
  "passed", "reason", "interval"}], "warnings": [sentence]}`; what was not measured is null. The
  model passed where every gate did.
  """

  TYPE_NAME = "components.ModelVerdict"
