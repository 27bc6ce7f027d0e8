"""`DataProfile` and `DriftGate`: what the data look like, and whether they still look like it.

The functions that measure and compare are given by dotted path.
"""

# No `from __future__ import annotations` here: `@component` reads real annotations.
import json
import os

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import standard_artifacts

from components.artifacts import DriftVerdict, Profile, Quarantine
from dlpipe.dotted_paths import load_function
from dlpipe.errors import DataRefusedError
from dlpipe.progress import report

# Custom properties of a DriftVerdict: which data were compared, with which (empty if there were
# none), and how many features had changed.
DATA, REFERENCE, DRIFTED = "data", "reference", "drifted"


@component
def DataProfile(  # noqa: N802 - TFX takes the component's class name from the function
  examples: InputArtifact[standard_artifacts.Examples],
  quarantine: InputArtifact[Quarantine],
  profile: OutputArtifact[Profile],
  profile_fn: Parameter[str],
  told: Parameter[str],
  code_fingerprint: Parameter[str] = "",
):
  """Measures what train looks like.

  Args:
    examples: the examples.
    quarantine: the counts of the source.
    profile: receives the files.
    profile_fn: dotted path; `(examples directory, quarantine directory, told) -> files`, name to
      text.
    told: what the function is told beside the artifacts, as JSON.
    code_fingerprint: of `profile_fn`; edited code measures again.
  """
  del code_fingerprint  # only a part of the cache key
  found = load_function(profile_fn)(examples.uri, quarantine.uri, json.loads(told))
  for name, text in found.items():
    with fileio.open(os.path.join(profile.uri, name), "w") as f:
      f.write(text)


@component
def DriftGate(  # noqa: N802
  profile: InputArtifact[Profile],
  examples: InputArtifact[standard_artifacts.Examples],
  schema: InputArtifact[standard_artifacts.Schema],
  verdict: OutputArtifact[DriftVerdict],
  judge_fn: Parameter[str],
  served_from: Parameter[str],
  past_file: Parameter[str],
  told: Parameter[str],
  code_fingerprint: Parameter[str] = "",
):
  """Raises `DataRefusedError` if the data have changed and that is to refuse them.

  Args:
    profile: what the data look like.
    examples: the examples, of which those that show what is new are picked.
    schema: the reviewed schema, whose comparators set bounds.
    verdict: receives the comparison. A refused run has no such artifact: TFX discards the outputs
      of a component that raises, so the refusal's message carries everything.
    judge_fn: dotted path; `(profile, examples, schema, served_from, past_file, told) -> Drift`.
    served_from: the directory with the version that is served, which is compared with.
    past_file: the file of earlier comparisons, which set bounds.
    told: what the function is told beside, as JSON.
    code_fingerprint: of `judge_fn`; an edited gate judges again.

  Raises:
    DataRefusedError: the data have changed, and the severity is `refuse`.
  """
  del code_fingerprint  # only a part of the cache key
  found = load_function(judge_fn)(
    profile.uri, examples.uri, schema.uri, served_from, past_file, json.loads(told)
  )
  drifted = [change for part in found.parts for change in part.drifted]
  for change in drifted:
    report(change.sentence, feature=change.feature)
  if not found.verdict.passed:
    raise DataRefusedError(found.refusal())
  verdict.set_string_custom_property(DATA, found.data)
  verdict.set_string_custom_property(REFERENCE, found.reference)
  verdict.set_int_custom_property(DRIFTED, len(drifted))
  with fileio.open(os.path.join(verdict.uri, found.FILE), "w") as f:
    f.write(found.to_text())
