"""`ModelCard`: what a user of a served version must know, written beside the model it describes.

VersionedPusher calls `files` on the artifacts of the run and publishes what it returns with the
model. The sections follow Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jinja2

from components.source_example_gen.summary import Summary
from dlpipe import nodes, words
from dlpipe.artifact_files import ArtifactFile, finite
from dlpipe.verdicts import Ruling, Verdict
from pipeline.drift import answers
from pipeline.drift.examples import parameters
from pipeline.drift.profile import Profile
from pipeline.evaluation import Evaluation, read_evaluation
from pipeline.problems.intervals import Interval
from pipeline.settings.config import PipelineConfig
from pipeline.task import Task
from pipeline.training.training_record import TrainingRecord

MARKDOWN_FILE = "MODEL_CARD.md"
_TEMPLATE = "model_card.md.j2"
_MOST_SLICES = 20
_MOST_LABELS = 30
_COUNT = "example_count"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCard(ArtifactFile):
  """`model_card.json`; the Markdown file shows the same values.

  Attributes:
    task: name of the task and of the served model.
    summary: what the task does, in one line.
    problem: the kind of answer.
    input: the key of an input in a request.
    data_path: the data, as the user named it; None if a compiled pipeline leaves it to each run.
    data_license: its licence, as the user stated it; None if nobody did.
    recognized: the layout that the source recognized.
    examples: number of examples by split, and `quarantined`.
    labels: number of examples by split and label; empty for tasks without classes.
    precision: Keras's dtype policy in training.
    parameters: number of the model's weights.
    epochs: number of epochs that were trained.
    hyperparameters: the values that the model was trained with.
    metrics: overall metrics on the eval split by name; None for one that could not be measured.
    intervals: 95 % confidence intervals of metrics.
    slices: `{"feature", "value", "metrics"}` of each slice of the eval split, likewise.
    baseline: the metrics of the model that it was compared with; empty without one.
    gates: every bound on the model, with its reason. A bound that the user changed says so.
    changed_gates: names of the settings by which the user changed a bound.
    limits: sentences on what the model cannot do, or on how far its metrics can be trusted.
  """

  FILE: ClassVar[str] = "model_card.json"

  task: str
  summary: str
  problem: str
  input: str
  data_path: str | None
  data_license: str | None
  recognized: Mapping[str, Any]
  examples: Mapping[str, int]
  labels: Mapping[str, Mapping[str, int]]
  precision: str
  parameters: int
  epochs: int
  hyperparameters: Mapping[str, Any]
  metrics: Mapping[str, float | None]
  intervals: Mapping[str, Interval]
  slices: Sequence[Mapping[str, Any]]
  baseline: Mapping[str, float | None]
  gates: Sequence[Ruling]
  changed_gates: Sequence[str]
  limits: Sequence[str]


# Names of every file that `files` returns.
FILES = (ModelCard.FILE, MARKDOWN_FILE, Profile.FILE)


def facts(task: Task, config: PipelineConfig) -> dict[str, Any]:
  """Returns the argument `told` of `files`: what the card says beside the run's artifacts, as JSON.

  Args:
    task: the task.
    config: the run's configuration.
  """
  changed = [f"gates.{name}" for name in sorted(config.gates.bounds)]
  return {
    "task": task.name,
    "summary": task.summary,
    "problem": task.problem.name,
    "input": task.input.key,
    "data_path": config.data_path,
    "data_license": config.push.data_license,
    "changed_gates": changed,
    "limits": list(task.problem.limits),
    "rows": parameters(task),
  }


def files(directories: Mapping[str, Sequence[str]], told: Mapping[str, Any]) -> dict[str, str]:
  """Returns the card as files: name to text.

  Args:
    directories: the inputs of VersionedPusher by name, each with the directories of its artifacts.
      An input that an older pipeline did not draw may be missing.
    told: the result of `facts`.
  """
  made = card(directories, told)
  written = {
    ModelCard.FILE: made.to_text(allow_nan=False) + "\n",
    MARKDOWN_FILE: markdown(made),
  }
  profile = _profile(directories, told)
  if profile is not None:
    written[Profile.FILE] = profile.to_text() + "\n"
  return written


def _profile(directories: Mapping[str, Sequence[str]], told: Mapping[str, Any]) -> Profile | None:
  """Returns what the model was trained on, and its answers to eval; None if nothing says."""
  data = Profile.read(_only(directories, "profile"))
  predictions = _only(directories, "predictions")
  if data is None or predictions is None:
    return data
  found = answers.profile(predictions, told["rows"])
  return data.also(found) if found is not None else data


def card(directories: Mapping[str, Sequence[str]], told: Mapping[str, Any]) -> ModelCard:
  """Returns the card of a model; the arguments are those of `files`."""
  summary = Summary.read(_only(directories, "quarantine")) or Summary()
  training = TrainingRecord.read(_only(directories, "model_run")) or TrainingRecord()
  evaluation = _only(directories, "evaluation")
  found = read_evaluation(str(evaluation)) if evaluation else _EMPTY
  verdicts = [
    verdict
    for gate in nodes.model_gates().values()
    if (verdict := Verdict.read(_only(directories, gate.verdict_input), gate.verdict_file))
  ]
  return ModelCard(
    **{
      **_of_card(told),
      "limits": [
        *told["limits"],
        *_doubts(training),
        *(w for verdict in verdicts for w in verdict.warnings),
      ],
    },
    recognized=summary.recognized,
    examples={**summary.examples, "quarantined": summary.quarantined},
    labels=summary.labels,
    precision=training.precision,
    parameters=training.parameters,
    epochs=len(training.epochs),
    hyperparameters=training.hyperparameters,
    metrics=finite(found.metrics),
    intervals=found.intervals,
    slices=[{**row, "metrics": finite(row["metrics"])} for row in found.slices],
    baseline=finite(found.baseline),
    gates=tuple(ruling for verdict in verdicts for ruling in verdict.rulings),
  )


def markdown(made: ModelCard) -> str:
  """Returns the card as Markdown."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=False,  # the text is Markdown; `text` escapes what comes from data
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters.update(number=_number, text=_text)
  labels = sorted({label for counts in made.labels.values() for label in counts})
  return environment.get_template(_TEMPLATE).render(
    card=made,
    splits=[name for name in made.examples if name != "quarantined"],
    labels=labels[:_MOST_LABELS],
    more_labels=max(0, len(labels) - _MOST_LABELS),
    metrics=[(name, value) for name, value in made.metrics.items() if name != _COUNT],
    eval_rows=int(made.metrics.get(_COUNT) or 0),
    slices=made.slices[:_MOST_SLICES],
    more_slices=max(0, len(made.slices) - _MOST_SLICES),
    slice_metrics=[name for name in _slice_metrics(made) if name != _COUNT],
  )


def _of_card(told: Mapping[str, Any]) -> dict[str, Any]:
  return {name: value for name, value in told.items() if name != "rows"}


_EMPTY = Evaluation(metrics={}, baseline={}, slices=[], confusion={}, calibration=[])


def _doubts(training: TrainingRecord) -> list[str]:
  """Returns sentences on what the model says of its own doubts."""
  found = training.certainty.sentences if training.certainty else ()
  return [f"Of its doubts: {sentence}." for sentence in found]


def _only(directories: Mapping[str, Sequence[str]], name: str) -> pathlib.Path | None:
  """Returns the directory of an input's first artifact; None if there is none."""
  found = directories.get(name) or ()
  return pathlib.Path(found[0]) if found else None


def _slice_metrics(made: ModelCard) -> list[str]:
  """Returns the metrics that at least half of the slices have."""
  found = collections.Counter(
    name for row in made.slices for name, value in row["metrics"].items() if value is not None
  )
  return sorted(name for name, times in found.items() if 2 * times >= len(made.slices))


def _number(value: Any) -> str:
  if value is None:
    return "not measured"
  if isinstance(value, int):
    return f"{value:,}"
  return words.number(value) if isinstance(value, float) else _text(value)


def _text(value: Any) -> str:
  """Returns a value in one line that neither ends a cell of a table nor starts markup."""
  line = " ".join(str(value).split())
  return "".join(f"\\{c}" if c in "\\`*_[]<>|#~&" else c for c in line)
