"""Reads TFRecords of tf.Example with a text and a label.

The options `text_feature` and `label_feature` name the features; otherwise they are found in the
first records. TensorFlow is imported when a file is read, not with this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.sources import input_paths, origins
from pipeline.sources.class_counts import require_classes
from pipeline.sources.tfrecord import tf_examples, tfrecords
from pipeline.tasks.sentiment.features import LABEL
from pipeline.tasks.sentiment.sources import records

DESCRIPTION = "a TFRecord file, or a folder of them, of tf.Example with texts and labels"

matches = tfrecords.matches

_LOOKED_AT = 100  # records, to find the features
_TEXT_NAMES = ("text", "review", "sentence", "content")


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Finds the features in the first records; up to 5,000 are read for their labels.

  Raises:
    BadInputError: there is no TFRecord, none of its records holds a text and a label, a named
      feature is missing, or there are fewer than two labels.
  """
  limit = records.max_chars(options)
  files = tfrecords.files(path, expected=DESCRIPTION)
  source = os.path.abspath(path)
  layout = _find_layout(tfrecords.first_records(files, _LOOKED_AT), options, source)
  splits, given = tfrecords.splits(files)
  shards = [
    {"file": file, "split": split, **layout} for file, split in zip(files, splits, strict=True)
  ]
  require_classes(
    (record for shard in shards for record in read(shard, options)),
    LABEL,
    source=source,
    advice="Add records, or name the right feature with --set data.label_feature=...",
  )
  fields = {"text": layout["text_feature"], "label": layout["label_feature"]}
  return SourcePlan(
    shards=shards,
    fingerprint=input_paths.fingerprint(path, files, limit, sorted(layout.items())),
    given_splits=given,
    recognized=tfrecords.recognized(path, files, fields),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the records of one file."""
  limit = records.max_chars(options)
  name = input_paths.printable(os.path.basename(shard["file"]))
  text, label = shard["text_feature"], shard["label_feature"]
  for number, (data, fault) in enumerate(tfrecords.read_records(shard["file"])):
    origin = origins.of_record(name, number)
    if fault:
      yield Rejected(origin=origin, reason=fault)
      return
    try:
      features = tf_examples.parse_record(data, (text, label))
      value, class_name = _text(features[text]), tf_examples.label_of(features[label])
    except ValueError as err:
      yield Rejected(origin=origin, reason=str(err), data=data)
    else:
      yield records.to_record(
        value, class_name, split=shard["split"], origin=origin, limit=limit, data=data
      )


def _text(values: Any) -> bytes:
  if not (isinstance(values, list) and len(values) == 1):
    raise ValueError("the record does not hold exactly one text")
  return values[0]


def _find_layout(
  examples: Sequence[bytes], options: Mapping[str, Any], source: str
) -> dict[str, str]:
  """Finds the features with the text and the label."""
  named = {option: options.get(option) for option in ("text_feature", "label_feature")}
  found = tf_examples.parse_first(examples, named, source=source)
  label = named["label_feature"]
  text = named["text_feature"] or _find_text(found, label)
  if text is None:
    raise BadInputError(
      f"Expected one feature with a text in the records of {source!r}. They have: "
      f"{', '.join(sorted(found[0]))}. Name it with --set data.text_feature=..."
    )
  label = label or tf_examples.find_label(found, taken=text, source=source)
  return {"text_feature": text, "label_feature": label}


def _find_text(examples: Sequence[tf_examples.Features], label: str | None) -> str | None:
  """Returns the feature with a usual name of texts, or the only one with blanks between words."""
  names = sorted(set().union(*examples) - {label})
  named = [name for name in names if name.lower() in _TEXT_NAMES]
  sentences = [name for name in names if any(_is_sentence(f[name]) for f in examples if name in f)]
  for found in (named, sentences):
    if len(found) == 1:
      return found[0]
  return None


def _is_sentence(values: Any) -> bool:
  return isinstance(values, list) and len(values) == 1 and len(values[0].split()) > 1
