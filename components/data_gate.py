"""`DataGate`: stops a run whose data is not fit to train on.

ExampleValidator only records anomalies; nothing reads them, so a pipeline trains on anything. This
gate reads them, together with what the source quarantined and counted, and raises
`DataRefusedError`. It has no output that Transform or Trainer could take as input: whoever draws
the pipeline puts it before them with `add_upstream_node`.
"""

# No `from __future__ import annotations` here: `@component` reads real annotations.
import dataclasses
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from absl import logging
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import GateVerdict, Quarantine
from components.source_example_gen.summary import REJECTED_FILE, LostClass, SpanSeen, Summary
from components.spans import judging
from dlpipe.artifact_files import ArtifactFile
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError, DataRefusedError
from dlpipe.records import EVAL, SPLITS, TRAIN, VAL

ANOMALIES_FILE = "SchemaDiff.pb"  # ExampleValidator's name for it, in TFX 1.16 and 1.21
_SHOWN = 5
_SPANS_REMEDY = "Bring or mend these spans; only they are read again."
_SEVERITIES = {
  "WARNING": anomalies_pb2.AnomalyInfo.WARNING,
  "ERROR": anomalies_pb2.AnomalyInfo.ERROR,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
  """One condition on the data.

  Attributes:
    name: the subject of the check.
    passed: whether the condition holds.
    value: the value found.
    bound: the worst value that passes.
    reason: the finding in words, with warnings that stop nothing.
    remedy: how a user mends a failure; not in the file.
  """

  name: str
  passed: bool
  value: int | float
  bound: str
  reason: str
  remedy: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataVerdict(ArtifactFile):
  """`verdict.json` of a `GateVerdict`.

  Attributes:
    checks: every check, without its remedy.
    findings: [{name, level, count, what, advice, details}], which stop nothing.
  """

  FILE: ClassVar[str] = "verdict.json"

  checks: tuple[Check, ...] = ()
  findings: list[dict[str, Any]] = dataclasses.field(default_factory=list)

  def to_json(self) -> dict[str, Any]:
    """Returns the content of the file, which only data that passed has."""
    checks = [
      {k: v for k, v in dataclasses.asdict(c).items() if k != "remedy"} for c in self.checks
    ]
    return {"passed": True, "checks": checks, "findings": self.findings}


@component
def DataGate(  # noqa: N802 - TFX takes the component's class name from the function
  anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
  quarantine: InputArtifact[Quarantine],
  verdict: OutputArtifact[GateVerdict],
  max_bad_fraction: Parameter[float],
  min_severity: Parameter[str] = "ERROR",
  allow_lost_classes: Parameter[int] = 0,
  findings_fn: Parameter[str] = "",
  gates: Parameter[str] = "[]",
  missing_span: Parameter[str] = "warn",
  min_span_size: Parameter[float] = 0.0,
  code_fingerprint: Parameter[str] = "",
):
  """Raises `DataRefusedError` unless every check holds; else writes `verdict.json`.

  Args:
    anomalies: those that ExampleValidator found, of every split.
    quarantine: the records that the source rejected, and its counts.
    verdict: receives the checks. A refused run has no such artifact: TFX discards the outputs of
      a component that raises, so the refusal's message carries everything.
    max_bad_fraction: the largest part of all records that may have been rejected, 0 to 1.
    min_severity: the mildest TFDV severity that stops the run, "WARNING" or "ERROR".
    allow_lost_classes: 1 lets pass a class of which nothing could be used.
    findings_fn: dotted path; `(summary, gates) -> findings`, what is worth knowing before hours of
      training and stops nothing. Empty finds nothing.
    gates: the model's gates as JSON, for `findings_fn`.
    missing_span: "refuse" refuses a window with a span that is missing, empty, unusable, small or
      repeated; "warn" says so.
    min_span_size: the part of the median of rows up to which a span is small.
    code_fingerprint: of this module and of `findings_fn`; an edited gate judges again.
  """
  del code_fingerprint  # only a part of the cache key
  summary = Summary.from_text(_read(os.path.join(quarantine.uri, Summary.FILE)))
  checks = judge(
    anomalies=_read_anomalies(anomalies),
    summary=summary,
    max_bad_fraction=max_bad_fraction,
    min_severity=min_severity,
    allow_lost_classes=bool(allow_lost_classes),
  )
  faults = judging.faults(summary.spans, min_span_size, max_bad_fraction=max_bad_fraction)
  if missing_span == "refuse":
    checks.extend(_check_spans(summary.spans, faults))
  found = load_function(findings_fn)(summary.to_json(), json.loads(gates)) if findings_fn else []
  if missing_span != "refuse":
    found = [*found, *map(_span_finding, faults)]
  for check in checks:
    logging.info("%s: %s", check.name, check.reason)
  for finding in found:
    logging.info("%s: %s", finding["name"], finding["what"])
  if not all(check.passed for check in checks):
    raise DataRefusedError(refusal(checks, _read_rejected(quarantine.uri), found))
  with fileio.open(os.path.join(verdict.uri, DataVerdict.FILE), "w") as f:
    f.write(DataVerdict(checks=tuple(checks), findings=found).to_text())


def judge(
  *,
  anomalies: Mapping[str, anomalies_pb2.Anomalies],
  summary: Summary,
  max_bad_fraction: float,
  min_severity: str = "ERROR",
  allow_lost_classes: bool = False,
) -> list[Check]:
  """Returns every check, held or not, in the order a reader would ask.

  Args:
    anomalies: those that ExampleValidator found, by split.
    summary: the counts of the source.
    max_bad_fraction: the largest part of all records that may have been rejected, 0 to 1.
    min_severity: the mildest TFDV severity that stops the run.
    allow_lost_classes: whether classes pass of which nothing could be used.

  Raises:
    BadInputError: a parameter is out of its range.
  """
  if not 0 <= max_bad_fraction <= 1:
    raise BadInputError(
      "data.max_bad_fraction must be between 0 and 1. "
      f"Received: max_bad_fraction={max_bad_fraction!r}"
    )
  if min_severity not in _SEVERITIES:
    raise BadInputError(
      f"min_severity must be one of {sorted(_SEVERITIES)}. Received: min_severity={min_severity!r}"
    )
  examples = summary.examples
  checks = [_check_size(split, int(examples.get(split, 0))) for split in SPLITS]
  checks.append(_check_rejected(examples, summary.quarantined, max_bad_fraction))
  checks.extend(_check_lost(summary.lost, allow_lost_classes))
  checks.extend(_check_labels(summary.labels, int(examples.get(TRAIN, 0))))
  for split in sorted({*anomalies, *(s for s in SPLITS if examples.get(s))}, key=_split_order):
    checks.append(_check_anomalies(split, anomalies.get(split), min_severity))
  return checks


def refusal(
  checks: Sequence[Check],
  rejected: Iterator[Mapping[str, Any]],
  found: Sequence[Mapping[str, Any]] = (),
) -> str:
  """Returns the message of a refusal: each failed check, some rejected records, the remedies.

  Args:
    checks: every check.
    rejected: the rows of `rejected.jsonl`.
    found: findings that stop nothing and are worth knowing all the same.
  """
  failed = [check for check in checks if not check.passed]
  lines = [f"The data is not fit to train on: {len(failed)} of {len(checks)} checks failed."]
  for check in failed:
    value = f"{check.value:.4g}" if isinstance(check.value, float) else check.value
    lines.append(f"- {check.name}: {value}, must be {check.bound}. {check.reason}")
  shown = list(itertools.islice(rejected, _SHOWN))
  if shown:
    lines.append("The first rejected records:" if len(shown) == _SHOWN else "Rejected records:")
    lines.extend(f"  {row.get('origin') or row.get('file')}: {row['reason']}" for row in shown)
  warnings = [finding["what"] for finding in found if finding["level"] == "warning"]
  lines.extend(f"Warning: {what}" for what in warnings)
  lines.append("What to do:")
  lines.extend(f"  {remedy}" for remedy in dict.fromkeys(check.remedy for check in failed))
  return "\n".join(lines)


def _check_size(split: str, count: int) -> Check:
  return Check(
    name=f"examples in {split}",
    passed=count > 0,
    value=count,
    bound=">= 1",
    reason=f"{count} usable examples." if count else "The split is empty.",
    remedy="Add data, or put some under every split where the input draws its own splits.",
  )


def _check_rejected(examples: Mapping[str, int], quarantined: int, bound: float) -> Check:
  total = sum(examples.values()) + quarantined
  fraction = quarantined / total if total else 0.0
  return Check(
    name="rejected fraction",
    passed=fraction <= bound,
    value=fraction,
    bound=f"<= {bound:g}",
    reason=f"{quarantined} of {total} records could not be used.",
    remedy="Mend or remove the rejected records, or raise data.max_bad_fraction knowingly.",
  )


def _check_lost(lost: Mapping[str, LostClass], allowed: bool) -> Iterator[Check]:
  """Yields nothing if every class that the input names is there.

  A label that only rejected rows of a table have may be a slip of that row, so it is a finding.
  """
  named = {label: facts for label, facts in lost.items() if facts.named}
  if not named:
    return
  shown = [
    f"{label!r}: {_why_lost(facts)}" for label, facts in itertools.islice(named.items(), _SHOWN)
  ]
  more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
  yield Check(
    name="classes without a usable example",
    passed=allowed,
    value=len(named),
    bound="any, by data.allow_lost_classes" if allowed else "0",
    reason=f"{'; '.join(shown)}{more}.",
    remedy=(
      "Mend or remove the inputs of these classes, or train without them: "
      "--set data.allow_lost_classes=true"
    ),
  )


def _why_lost(facts: LostClass) -> str:
  reasons = "; ".join(f"{reason} ({count:,})" for reason, count in facts.reasons.items())
  return f"{facts.inputs:,} inputs: {reasons}" if reasons else f"{facts.inputs:,} inputs"


def _check_spans(spans: Sequence[SpanSeen], faults: Sequence[judging.Fault]) -> Iterator[Check]:
  if spans:
    yield Check(
      name="faulty spans",
      passed=not faults,
      value=sum(len(fault.spans) for fault in faults),
      bound="0",
      reason="; ".join(fault.said for fault in faults) or f"All of {len(spans):,} are there.",
      remedy=f"{_SPANS_REMEDY} Or train without them: --set data.missing_span=warn",
    )


def _span_finding(fault: judging.Fault) -> dict[str, Any]:
  return {
    "name": f"{fault.kind}_spans",
    "level": "warning",
    "count": len(fault.spans),
    "what": fault.said,
    "advice": f"{_SPANS_REMEDY} A run stops for this with --set data.missing_span=refuse.",
    "details": list(fault.spans),
  }


def _check_labels(labels: Mapping[str, Mapping[str, int]], rows: int) -> Iterator[Check]:
  """Yields nothing for tasks without labels: their sources count none.

  Args:
    labels: examples by split and label, several of which an example may have, or none.
    rows: examples of train.
  """
  if not any(labels.values()):
    return
  known = {label for label, count in labels.get(TRAIN, {}).items() if count}
  # One that some examples lack is enough.
  tells_apart = any(0 < count < rows for count in labels.get(TRAIN, {}).values())
  yield Check(
    name="labels in train",
    passed=len(known) >= 2 or tells_apart,
    value=len(known),
    bound=">= 2",
    reason=f"Found {_quoted(known)}." if known else "Found none.",
    remedy="Give at least two labels to tell apart.",
  )
  for split in (VAL, EVAL):
    unknown = {label for label, n in labels.get(split, {}).items() if n} - known
    yield Check(
      name=f"labels of {split} unknown to train",
      passed=not unknown,
      value=len(unknown),
      bound="0",
      reason=f"Never seen in train: {_quoted(unknown)}." if unknown else "All occur in train.",
      remedy="Add training examples of every label, or remove the labels that have none.",
    )


def _check_anomalies(split: str, found: anomalies_pb2.Anomalies | None, severity: str) -> Check:
  remedy = (
    "Mend the data, or, if the data is right, correct the reviewed schema in schemas/<task>/."
  )
  name = f"schema anomalies in {split}"
  if found is None or found.data_missing:
    what = "has statistics of no examples" if found else "was not validated"
    return Check(
      name=name, passed=False, value=1, bound="0", reason=f"The split {what}.", remedy=remedy
    )
  infos = sorted(found.anomaly_info.items())
  if found.HasField("dataset_anomaly_info"):
    infos.append(("the data set", found.dataset_anomaly_info))
  stopping = [(key, info) for key, info in infos if not _milder(info, severity)]
  reported = [(key, info) for key, info in infos if _milder(info, severity)]
  reason = " ".join(
    f"{key}: {info.short_description or 'anomaly'}: {info.description}"
    for key, info in (stopping or reported)
  )
  if reported and not stopping:
    reason = f"Warnings, which do not stop the run: {reason}"
  return Check(
    name=name,
    passed=not stopping,
    value=len(stopping),
    bound="0",
    reason=reason or "None.",
    remedy=remedy,
  )


def _milder(info: anomalies_pb2.AnomalyInfo, severity: str) -> bool:
  # TFDV always sets a severity; one that is unknown is not known to be harmless, so it stops.
  known = info.severity != anomalies_pb2.AnomalyInfo.UNKNOWN
  return known and info.severity < _SEVERITIES[severity]


def _quoted(labels: set[str]) -> str:
  shown = ", ".join(repr(label) for label in sorted(labels)[:_SHOWN])
  return shown + (f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else "")


def _split_order(split: str) -> tuple[int, str]:
  return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def _read_anomalies(artifact) -> dict[str, anomalies_pb2.Anomalies]:
  found = {}
  for split in artifact_utils.decode_split_names(artifact.split_names):
    uri = os.path.join(artifact_utils.get_split_uri([artifact], split), ANOMALIES_FILE)
    found[split] = anomalies_pb2.Anomalies.FromString(_read(uri, "rb"))
  return found


def _read_rejected(uri: str) -> Iterator[Mapping[str, Any]]:
  path = os.path.join(uri, REJECTED_FILE)
  if not fileio.exists(path):
    return
  with fileio.open(path) as f:
    for line in f:
      if line.strip():
        yield json.loads(line)


def _read(path: str, mode: str = "r") -> Any:
  with fileio.open(path, mode) as f:
    return f.read()
