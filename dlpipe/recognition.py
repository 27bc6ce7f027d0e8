"""`Recognized`: how a source read an input; shown on screen, in reports, `--json` and DataGate.

A source puts a `Recognized` into its plan. `SourceExampleGen` writes `Recognized.to_json` into the
quarantine's `summary.json`, under the key `recognized`, so that a cached run shows it, too. Imports
only the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SHOWN = 5
_KEPT = 50  # unread names in `to_json`
_SHOWN_CHARACTERS = 60  # of each name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unread:
  """A part of the input that is not read.

  Attributes:
    name: path relative to the input.
    reason: words that follow the name in brackets, such as "hidden, holds 8 texts".
    labelled: whether labelled examples are lost, so that the user must be warned.
  """

  name: str
  reason: str
  labelled: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recognized:
  """How a source read an input.

  Attributes:
    layout: the source's name, as `data.source` takes it.
    fields: part of an example to its origin, such as `{"source": "column 2", "target":
      "column 4"}` or `{"label": "the folder's name"}`.
    files: the files that are read, relative to the input; of many files, the first ones.
    file_count: number of files that are read.
    rows: number of rows; None if they were not counted.
    classes: every class that the layout names, to the number of its inputs: files in class folders,
      rows elsewhere; a class folder without a file has 0. Empty if classes are known only when
      everything has been read, as in a table, and for tasks without classes.
    unread: the parts of the input that are not read, and why.
    certain: whether the content identifies the layout. False if any input of this kind would be
      read in this layout, such as files of lines.
    warnings: signs of a wrong guess, each a sentence without its full stop.
  """

  layout: str
  fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
  files: Sequence[str] = ()
  file_count: int = 0
  rows: int | None = None
  classes: Mapping[str, int] = dataclasses.field(default_factory=dict)
  unread: Sequence[Unread] = ()
  warnings: Sequence[str] = ()
  certain: bool = True

  def sentences(self, splits: Sequence[str] = ()) -> list[str]:
    """Describes the input for a person: two sentences at most, then the warnings.

    Args:
      splits: the splits that the input draws itself.

    >>> pairs = Recognized(layout="tsv", fields={"source": "column 1", "target": "column 2"},
    ...                    files=["fra.txt"], file_count=1, rows=1234)
    >>> pairs.sentences()
    ['Read as tsv: source = column 1, target = column 2; 1,234 rows; 1 file: fra.txt.']
    """
    facts = [", ".join(f"{name} = {place}" for name, place in self.fields.items())]
    if self.rows is not None:
      facts.append(_count(self.rows, "row"))
    if self.file_count:
      shown = "" if self.classes else f": {listed(self.files, self.file_count)}"
      facts.append(_count(self.file_count, "file") + shown)
    if self.classes:
      # Quoted where a comma within a name would look like one between names.
      named = repr if any("," in label for label in self.classes) else str
      counted = [f"{named(label)} ({count:,})" for label, count in sorted(self.classes.items())]
      facts.append(f"{_count(len(counted), 'class')}: {listed(counted, len(counted))}")
    if splits:
      facts.append(f"splits of its own: {', '.join(splits)}")
    said = [f"Read as {self.layout}: {'; '.join(filter(None, facts))}."]
    said += [f"Warning: {warning}." for warning in self.all_warnings()]
    others = [f"{each.name} ({each.reason})" for each in self.unread if not each.labelled]
    if others:
      said.append(f"Not read: {listed(others, len(others))}.")
    return said

  def all_warnings(self) -> list[str]:
    """Returns `warnings`, and warnings of classes without a file and of lost labelled examples.

    A long list of folders is shortened to the first names and the number of the others.
    """
    lost = [each for each in self.unread if each.labelled]
    said = [f"{shortened(each.name)} is not read: {each.reason}" for each in lost[:_SHOWN]]
    if len(lost) > _SHOWN:
      said.append(f"{len(lost) - _SHOWN:,} more like these are not read")
    empty = [label for label, count in sorted(self.classes.items()) if not count]
    if len(empty) == 1:
      said.append(f"the class {shortened(empty[0])} is empty")
    elif empty:
      said.append(f"{len(empty):,} classes are empty: {listed(empty, len(empty))}")
    return [*said, *self.warnings]

  def to_json(self, splits: Sequence[str] = ()) -> dict[str, Any]:
    """Describes the input for a program.

    Args:
      splits: the splits that the input draws itself.

    Returns:
      `layout`, `fields`, `files` (the first), `file_count`, `rows`, `classes` {label: inputs},
      `splits`, `unread` [{name, reason, labelled}] (the first), `unread_count`, `warnings` and
      `sentences`.
    """
    return {
      "layout": self.layout,
      "fields": dict(self.fields),
      "files": list(self.files[:_SHOWN]),
      "file_count": self.file_count,
      "rows": self.rows,
      "classes": dict(self.classes),
      "splits": list(splits),
      "unread": [dataclasses.asdict(each) for each in self.unread[:_KEPT]],
      "unread_count": len(self.unread),
      "warnings": self.all_warnings(),
      "sentences": self.sentences(splits),
    }


def listed(names: Iterable[str], count: int) -> str:
  """Returns the first names, each shortened, and how many of `count` follow."""
  shown = [shortened(name) for name, _ in zip(names, range(_SHOWN), strict=False)]
  more = f" and {count - len(shown):,} more" if count > len(shown) else ""
  return ", ".join(shown) + more


def shortened(name: str) -> str:
  """Returns a printable name, shortened to fit on one line."""
  line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
  return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 1].rstrip() + "…"


def _count(count: int, noun: str) -> str:
  plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
  return f"{count:,} {noun if count == 1 else plural}"
