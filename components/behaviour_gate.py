"""`BehaviourGate`: refuses a model that does not behave as its task's tests want it to."""

# No `from __future__ import annotations` here: `@component` reads real annotations.
import json
import os

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from dlpipe.dotted_paths import load_function
from dlpipe.progress import report
from dlpipe.verdicts import Verdict


@component
def BehaviourGate(  # noqa: N802 - TFX takes the component's class name from the function
  examples: InputArtifact[standard_artifacts.Examples],
  model: InputArtifact[standard_artifacts.Model],
  blessing: OutputArtifact[standard_artifacts.InfraBlessing],
  judge: Parameter[str],
  tests: Parameter[str],
  code_fingerprint: Parameter[str] = "",
):
  """Asks an exported model the questions of its task's tests; to refuse is no failure.

  Args:
    examples: the run's examples, of whose split eval some are asked about.
    model: the trained model, from Trainer.
    blessing: receives the custom property `blessed` (1 or 0), `verdict.json`, a `Verdict`, and what
      the judge writes, which is `behaviour.json`.
    judge: dotted path of a function of the directories of the blessing, the examples and the
      SavedModel, and of the content of `tests`; it returns a `Verdict`.
    tests: the judge's parameters, as JSON.
    code_fingerprint: of the judge; an edited judge judges again.
  """
  del code_fingerprint  # only a part of the cache key
  verdict: Verdict = load_function(judge)(
    blessing.uri, examples.uri, path_utils.serving_model_path(model.uri), json.loads(tests)
  )
  # The names of files are those of TFX's InfraValidator.
  file = "INFRA_BLESSED" if verdict.passed else "INFRA_NOT_BLESSED"
  for name, text in ((Verdict.FILE, verdict.to_text(allow_nan=False)), (file, "")):
    with fileio.open(os.path.join(blessing.uri, name), "w") as opened:
      opened.write(text)
  blessing.set_int_custom_property("blessed", int(verdict.passed))
  held = sum(ruling.passed for ruling in verdict.rulings)
  refused = f"; refused by {', '.join(verdict.failed)}" if verdict.failed else ""
  report(f"{held} of {len(verdict.rulings)} tests of behaviour hold{refused}", held=held)
