"""What a node over a window works on: the spans, what is in them, and the keys of what is kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from components.source_example_gen import relabel
from components.spans import window
from components.spans.contents import Contents
from components.spans.pattern import Pattern, Span
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.records import SourcePlan, part_of_input

# What a span is read with, beside its content and its new labels.
_READ_WITH = (
  "read_fn",
  "options",
  "label_key",
  "code_fingerprint",
  "val_fraction",
  "eval_fraction",
)
SETTING = "spans"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolved:
  """A window whose content is known.

  Attributes:
    settings: how it was chosen.
    window: the spans.
    contents: by the name of a span the hash of its bytes; empty of an empty one.
    keys: by the name of a span the hash of all that it is read from and with.
    fingerprint: of all of it.
    new_labels: the labels that replace those of the data, by origin.
  """

  settings: window.Settings
  window: window.Window
  contents: Mapping[str, str]
  keys: Mapping[str, str]
  fingerprint: str
  new_labels: Mapping[str, relabel.NewLabel]


def resolve(exec_properties: Mapping[str, Any]) -> Resolved:
  """Chooses the window of a node, and hashes those spans that have changed.

  Raises:
    BadInputError: nothing fits the pattern, or no span lies in the window.
  """
  settings = window.Settings.from_text(exec_properties[SETTING])
  chosen = window.choose(Pattern(exec_properties["data_path"]), settings)
  contents = chosen.contents(Contents(settings.root))
  labels: dict[str, relabel.NewLabel] = {}
  fingerprint = window.fingerprint(chosen, contents)
  if path := exec_properties.get("relabel"):
    fingerprint += f"-{relabel.digest(path)}"
    if read_label := exec_properties.get("read_label"):
      labels = relabel.values(path, read_label, json.loads(exec_properties["options"]))
  return Resolved(
    settings=settings,
    window=chosen,
    contents=contents,
    keys={s.name: _key(s, contents[s.name], labels, exec_properties) for s in chosen.spans},
    fingerprint=fingerprint,
    new_labels=labels,
  )


def plan_of(span: Span, exec_properties: Mapping[str, Any]) -> SourcePlan:
  """Plans one span, as the source plans an input.

  Raises:
    BadInputError: the source cannot use it; the message names the span.
  """
  plan = load_function(exec_properties["plan_fn"])
  try:
    with part_of_input():
      found: SourcePlan = plan(span.path, json.loads(exec_properties["options"]))
  except BadInputError as err:
    raise BadInputError(f"Span {span.said}: {err}") from err
  return found


def _key(
  span: Span,
  content: str,
  labels: Mapping[str, relabel.NewLabel],
  exec_properties: Mapping[str, Any],
) -> str:
  own = sorted((o, repr(label)) for o, label in labels.items() if span.has(o))
  read_with = [exec_properties.get(name) for name in _READ_WITH]
  said = repr((span.begins, content, own, read_with)).encode("utf-8", "surrogateescape")
  return hashlib.sha256(said).hexdigest()[:24]
