"""Reads the list of edits that tests must notice, and checks that they fit the sources."""

from __future__ import annotations

import ast
import dataclasses
import pathlib

import yaml

_LIST = "tests/mutants"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mutant:
  """One edit.

  Attributes:
    id: name of the list and of the edit, such as `gates/bound-of-zero`.
    file: path of the source, relative to the repository.
    old: text that occurs exactly once in the source.
    new: the text that replaces it.
    tests: files or node ids; at least one of them must fail.
    survives: why no test can fail; empty if one must.
  """

  id: str
  file: str
  old: str
  new: str
  tests: tuple[str, ...]
  survives: str = ""

  def applied(self, source: str) -> str:
    """Returns the edited source.

    Raises:
      ValueError: `old` does not occur exactly once.
    """
    count = source.count(self.old)
    if count != 1 or self.old == self.new:
      what = "says the same as before" if count == 1 else f"stands there {count} times, not once"
      raise ValueError(f"{self.id}: in {self.file}, this {what}:\n{self.old}")
    edited = source.replace(self.old, self.new)
    if self.file.endswith(".py"):
      try:
        ast.parse(edited)
      except SyntaxError as err:
        raise ValueError(f"{self.id}: the edited {self.file} is no Python: {err}") from err
    return edited


def read_mutants(root: pathlib.Path) -> list[Mutant]:
  """Returns all edits, after checking them against the sources.

  Raises:
    ValueError: some edits do not fit; the message names each.
  """
  found, faults = [], []
  for path in sorted((root / _LIST).glob("*.yaml")):
    for group in yaml.safe_load(path.read_text(encoding="utf-8")):
      for name, edit in group["edits"].items():
        fields = {"file": group["file"], "tests": group["tests"], **edit}
        fields["tests"] = tuple(fields["tests"])
        found.append(Mutant(id=f"{path.stem}/{name}", **fields))
  ids = [each.id for each in found]
  faults += [f"{name}: there are two of that name" for name in {n for n in ids if ids.count(n) > 1}]
  for each in found:
    try:
      each.applied((root / each.file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
      faults.append(str(err))
    missing = [test for test in each.tests if not (root / test.split("::")[0]).is_file()]
    faults += [f"{each.id}: there is no {test}" for test in missing]
    if not each.tests:
      faults.append(f"{each.id}: it names no test")
  if faults:
    raise ValueError("\n".join(faults))
  return found
