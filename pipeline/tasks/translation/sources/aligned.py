"""Reads two files with aligned lines: `train.en` and `train.de`, plain or gzipped.

The path is their folder, or the common prefix of their names (`corpus/train`). The options
`source_language` and `target_language` give the languages. If the names in a folder are
splits, as in `train.en`, `val.en` and `test.en`, these are used.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized
from dlpipe.records import TRAIN, Record, Rejected, SourcePlan
from pipeline.sources import first_records, given_splits, input_paths, origins, sharding
from pipeline.sources.class_counts import names
from pipeline.sources.text_files import line_files
from pipeline.tasks.translation.sources import records, sides

DESCRIPTION = "a folder with files such as train.en and train.de, line by line translations"

_NAME = re.compile(r"(?P<stem>.+)\.(?P<language>[A-Za-z]{2,3}([_-][A-Za-z0-9]+)*)$")
# Suffixes that look like languages and are not, unless an option names them.
_NO_LANGUAGE = re.compile(
  r"(bz2|cfg|csv|doc|htm|ini|jpg|log|md|pdf|png|py|sh|tar|tex|tgz|toml|tsv|txt|vec|xml|xz|yml"
  r"|zip)$",
  re.IGNORECASE,
)
_PART_LINES, _PARTS = 1000, 5
_SPREAD = 20  # places of the files that a sample reads
_ADVICE = (
  "Check the files. To take them all the same, join them with `paste train.en train.fr > "
  "pairs.tsv` and name the columns with --set data.source_column=1 --set data.target_column=2"
)

# Stem to language to path.
_Corpora = dict[str, dict[str, str]]


def matches(path: str) -> bool:
  """Returns whether the path has files of at least two languages."""
  try:
    return any(len(files) > 1 for files in _find(path, {}).values())
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Counts the lines and cuts both files at the same line numbers.

  Raises:
    BadInputError: a language is not named or has no file, two files differ in their number of
      lines, or the lines are not sentences.
  """
  limit = records.max_chars(options)
  corpora = _find(path, options)
  source, target = _languages(corpora, options, path)
  stems = [stem for stem, files in corpora.items() if source in files or target in files]
  found = dict(zip(stems, given_splits.of_names(stems), strict=True))
  if TRAIN in found.values() and None in found.values():
    others = names(stem for stem, split in found.items() if split is None)
    raise BadInputError(
      f"Beside train in {path!r} lie files that are of no split: {others}. Name them train, val or "
      "test, or move them away."
    )
  settled = given_splits.settle(found.values())
  parts: list[dict[str, Any]] = []
  files: list[str] = []
  for stem in stems:
    pair = [_require_file(corpora[stem], lang, stem, path) for lang in (source, target)]
    split = found[stem]
    files.extend(pair)
    parts.extend({**part, "split": settled[split] if split else None} for part in _cut(*pair))
  if not parts:
    raise BadInputError(f"Expected lines in {files[0]!r} and {files[1]!r}. There are none.")
  pairs = _sample(parts)
  places = (f"the .{source} files", f"the .{target} files")
  sides.require(pairs, places, source=path, advice=_ADVICE)
  shards = sharding.mix(parts, _PARTS)
  first_records.require_one(
    (record for shard in shards for record in read(shard, options)), source=path
  )
  return SourcePlan(
    shards=shards,
    fingerprint=input_paths.fingerprint(os.path.dirname(path), files, limit, source, target),
    given_splits=given_splits.given(settled),
    recognized=Recognized(
      layout="aligned",
      fields={"source": places[0], "target": places[1]},
      files=[input_paths.printable(os.path.basename(file)) for file in files],
      file_count=len(files),
      rows=sum(part["lines"] for part in parts),
      unread=input_paths.unread(path, files, "no file of these languages"),
      warnings=sides.warnings(pairs),
    ),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the pairs of one shard."""
  limit = records.max_chars(options)
  for part in shard["parts"]:
    names_of = [input_paths.printable(os.path.basename(file)) for file in part["files"]]
    for source, target in itertools.islice(_lines(part), part["lines"]):
      origin = origins.of_row(" and ".join(names_of), source.number)
      data = source.data + b"\n" + target.data
      if source.fault or target.fault:
        yield Rejected(origin=origin, reason=source.fault or target.fault or "", data=data)
      else:
        yield records.to_record(
          source.data,
          target.data,
          split=part["split"],
          origin=origin,
          limit=limit,
          data=data,
        )


def _sample(parts: Sequence[Mapping[str, Any]]) -> list[sides.Pair]:
  """Samples pairs from all over the files, decoded as far as possible."""
  spread = input_paths.spread(parts, _SPREAD)
  each = sides.LOOKED_AT // len(spread)
  return [
    (source.data.decode("utf-8", "replace"), target.data.decode("utf-8", "replace"))
    for part in spread
    for source, target in itertools.islice(_lines(part), min(each, part["lines"]))
  ]


def _lines(part: Mapping[str, Any]) -> Iterator[tuple[line_files.Line, line_files.Line]]:
  """Yields the lines of both sides from the start of a part, also beyond its end."""
  source, target = (
    line_files.read_lines(file, start=start, number=part["number"])
    for file, start in zip(part["files"], part["starts"], strict=True)
  )
  return zip(source, target, strict=False)


def _cut(source: str, target: str) -> Iterator[dict[str, Any]]:
  """Yields parts of 1,000 pairs; one part if a file is gzipped."""
  files = [source, target]
  (starts, count), (target_starts, target_count) = (
    line_files.index(file, _PART_LINES) for file in files
  )
  if count != target_count:
    raise BadInputError(
      f"Expected as many lines in both files. {source!r} has {count:,}, {target!r} "
      f"{target_count:,}; line by line translations are needed."
    )
  if any(line_files.is_gzip(file) for file in files):
    if count:
      yield {"files": files, "starts": [0, 0], "number": 1, "lines": count}
    return
  for index, pair in enumerate(zip(starts, target_starts, strict=True)):
    number = 1 + index * _PART_LINES
    lines = min(_PART_LINES, count + 1 - number)
    yield {"files": files, "starts": list(pair), "number": number, "lines": lines}


def _find(path: str, options: Mapping[str, Any]) -> _Corpora:
  named = (options.get("source_language"), options.get("target_language"))
  if os.path.isdir(path):
    folder, prefix = path, ""
  else:
    folder, prefix = os.path.split(os.path.abspath(path))
  corpora: _Corpora = {}
  if not os.path.isdir(folder):
    return corpora
  for entry in input_paths.entries(folder):
    match = _NAME.match(entry.name.removesuffix(".gz"))
    if not match or not entry.is_file():
      continue
    language = match["language"]
    if _NO_LANGUAGE.match(language) and language not in named:
      continue
    if not prefix or match["stem"] == prefix:
      # A decompressed file is often beside its archive; either can be read.
      corpora.setdefault(match["stem"], {}).setdefault(language, os.path.abspath(entry.path))
  return corpora


def _languages(corpora: _Corpora, options: Mapping[str, Any], path: str) -> tuple[str, str]:
  found = sorted({language for files in corpora.values() for language in files})
  source, target = options.get("source_language"), options.get("target_language")
  if not found:
    raise BadInputError(f"Expected {DESCRIPTION}. Found none at {path!r}.")
  for option, language in (("source_language", source), ("target_language", target)):
    if not isinstance(language, str | None):
      raise BadInputError(
        f"data.{option} must be a string. Received: {language!r}. In YAML, no is a truth value; "
        f"""write --set 'data.{option}="no"'."""
      )
    if language is not None and language not in found:
      raise BadInputError(
        f"Expected files that end with .{language} at {path!r}, as data.{option} says. Found: "
        f"{', '.join(found)}."
      )
  if len(found) == 2 and (source or target):
    source = source or next(language for language in found if language != target)
    target = target or next(language for language in found if language != source)
  if not source or not target:
    raise BadInputError(
      f"Expected to be told which language to translate into which. Found at {path!r}: "
      f"{', '.join(found)}. Say it with, for instance, --set data.source_language={found[0]} "
      f"--set data.target_language={found[-1]}"
    )
  if source == target:
    raise BadInputError(
      f"Expected two languages. Both data.source_language and data.target_language are {source!r}."
    )
  return source, target


def _require_file(files: Mapping[str, str], language: str, stem: str, path: str) -> str:
  if language not in files:
    raise BadInputError(
      f"Expected {stem}.{language} beside {os.path.basename(next(iter(files.values())))!r} at "
      f"{path!r}. There is none."
    )
  return files[language]
