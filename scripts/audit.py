"""Checks the locks for known vulnerabilities. Called by `make audit`; needs no network.

constraints/advisories.json lists the advisories for the pinned versions; `--refresh` asks OSV
(https://osv.dev) and rewrites it. constraints/accepted.yaml says, lock by lock, which advisories do
not affect us and why. Exit 1: an advisory is not accepted, an acceptance matches no advisory, or
its review is overdue; 2: a file is damaged, or OSV does not answer.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import pathlib
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from lock_files import FOLDER, Pin, find_locks, read_lock
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

_OSV = "https://api.osv.dev"
_TIMEOUT_S = 60
_OLD = datetime.timedelta(days=30)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Advisory:
  """A known vulnerability of a package.

  Attributes:
    id: its CVE if it has one, else its name in the database.
    aliases: its other names.
    package: the package's canonical name.
    affected: version specifiers; a version is affected if one of them matches.
    fixed: the first versions without it; empty if there is no such release.
    summary: what the vulnerability allows.
    source: URL of its description.
  """

  id: str
  aliases: Sequence[str]
  package: str
  affected: Sequence[str]
  fixed: Sequence[str]
  summary: str
  source: str

  def concerns(self, pin: Pin) -> bool:
    version = Version(pin.version)
    return pin.name == self.package and any(
      SpecifierSet(specifier).contains(version, prereleases=True) for specifier in self.affected
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Acceptance:
  """An accepted advisory of one lock, with the reason.

  Attributes:
    id: any name of the advisory.
    lock: the lock's name, without `.txt`.
    package: the package's canonical name.
    reason: why it does not affect us, or what limits its effect.
    review: the day by which somebody must review the acceptance.
  """

  id: str
  lock: str
  package: str
  reason: str
  review: datetime.date


def main(arguments: Sequence[str] | None = None) -> int:
  """Prints findings; returns the exit code."""
  parser = argparse.ArgumentParser(description="Hold the locks against known vulnerabilities.")
  parser.add_argument("--refresh", action="store_true", help="ask OSV first")
  parser.add_argument("--folder", type=pathlib.Path, default=FOLDER, help="of the locks")
  parser.add_argument("--osv", default=_OSV, metavar="URL", help="default: %(default)s")
  given = parser.parse_args(arguments)
  today = datetime.datetime.now(datetime.timezone.utc).date()
  listed = given.folder / "advisories.json"
  try:
    locks = {path.stem: read_lock(path) for path in find_locks(given.folder)}
    if given.refresh:
      _write(listed, ask(given.osv, {pin for pins in locks.values() for pin in pins}), locks, today)
    document = json.loads(listed.read_text(encoding="utf-8"))
    advisories = [Advisory(**entry) for entry in document["advisories"]]
    accepted = list(_acceptances(given.folder / "accepted.yaml"))
  except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as err:
    print(f"Error: {type(err).__name__}: {err}", file=sys.stderr)
    return 2
  faults = list(find_faults(locks, advisories, accepted, today))
  for fault in faults:
    print(fault)
  print(_age(document, locks, today))
  if not faults:
    count = sum(map(len, locks.values()))
    print(f"{count} pins in {len(locks)} locks: {len(accepted)} advisories accepted, none open.")
  return 1 if faults else 0


def find_faults(
  locks: Mapping[str, Sequence[Pin]],
  advisories: Sequence[Advisory],
  accepted: Sequence[Acceptance],
  today: datetime.date,
) -> Iterator[str]:
  """Yields a sentence for each open advisory, unused acceptance and overdue review."""
  used = set()
  for lock, pins in locks.items():
    for pin in pins:
      for advisory in advisories:
        if not advisory.concerns(pin):
          continue
        names = {advisory.id, *advisory.aliases}
        matching = [
          entry
          for entry in accepted
          if entry.id in names and (entry.lock, entry.package) == (lock, pin.name)
        ]
        used.update(matching)
        if not matching:
          fixed = ", ".join(advisory.fixed) or "no release yet"
          pins_file = f"constraints/{lock.rpartition('-')[2]}.in"
          yield (
            f"{lock}: {pin} has {advisory.id}: {advisory.summary} Fixed in: {fixed}. "
            f"Upgrade it in {pins_file}, or say in constraints/accepted.yaml why not. "
            f"({advisory.source})"
          )
  for entry in accepted:
    if entry not in used:
      yield (
        f"{entry.lock}: {entry.id} of {entry.package} is accepted and concerns no pin there; "
        "remove it from constraints/accepted.yaml."
      )
    elif entry.review < today:
      yield (
        f"{entry.lock}: {entry.id} of {entry.package} was to be looked at again by {entry.review}."
      )


def ask(url: str, pins: Iterable[Pin]) -> list[Advisory]:
  """Asks OSV for the advisories of these versions; one for each vulnerability and package.

  Raises:
    OSError: OSV does not answer.
    ValueError: the answer is not JSON.
  """
  waiting = [
    {"package": {"name": pin.name, "ecosystem": "PyPI"}, "version": pin.version}
    for pin in sorted(pins)
  ]
  names: dict[str, set[str]] = {}
  while waiting:
    asked, waiting = waiting[:1000], waiting[1000:]  # OSV's limit per request
    answers = _fetch(f"{url}/v1/querybatch", {"queries": asked})["results"]
    for query, answer in zip(asked, answers, strict=True):
      for found in answer.get("vulns", ()):
        names.setdefault(found["id"], set()).add(query["package"]["name"])
      if answer.get("next_page_token"):
        waiting.append({**query, "page_token": answer["next_page_token"]})
  found = [
    advisory
    for name, packages in sorted(names.items())
    for advisory in _advisories(_fetch(f"{url}/v1/vulns/{name}"), packages)
  ]
  return _merged(found)


def _advisories(record: Mapping[str, Any], packages: set[str]) -> Iterator[Advisory]:
  if record.get("withdrawn"):
    return
  cves = [name for name in record.get("aliases", ()) if name.startswith("CVE-")]
  names = {record["id"], *record.get("aliases", ())}
  summary = record.get("summary") or record.get("details", "").partition(". ")[0] or "?"
  for package in sorted(packages):
    affected: dict[str, None] = {}
    fixed: dict[str, None] = {}
    for part in record.get("affected", ()):
      if canonicalize_name(part.get("package", {}).get("name", "")) != package:
        continue
      ranges = [r for r in part.get("ranges", ()) if r["type"] == "ECOSYSTEM"]
      for events in (entry["events"] for entry in ranges):
        affected.update(dict.fromkeys(_specifiers(events)))
        fixed.update(dict.fromkeys(event["fixed"] for event in events if "fixed" in event))
      if not ranges:
        affected.update(dict.fromkeys(f"=={version}" for version in part.get("versions", ())))
    main_name = min(cves, default=record["id"])
    yield Advisory(
      id=main_name,
      aliases=sorted(names - {main_name}),
      package=package,
      affected=list(affected),
      fixed=list(fixed),
      summary=" ".join(summary.split()).rstrip(".") + ".",
      source=f"https://osv.dev/vulnerability/{record['id']}",
    )


def _specifiers(events: Iterable[Mapping[str, str]]) -> Iterator[str]:
  """Turns OSV's events of one range, sorted by version, into version specifiers."""
  start: str | None = None
  for event in events:
    if "introduced" in event:
      start = "" if event["introduced"] == "0" else f">={event['introduced']}"
    elif start is not None and ("fixed" in event or "last_affected" in event):
      end = f"<{event['fixed']}" if "fixed" in event else f"<={event['last_affected']}"
      yield ",".join(filter(None, (start, end)))
      start = None
  if start is not None:
    yield start or ">=0"


def _merged(found: Iterable[Advisory]) -> list[Advisory]:
  """Merges entries of several databases for one vulnerability: the first, with all names."""
  kept: dict[tuple[str, str], Advisory] = {}
  for advisory in found:
    key = advisory.id, advisory.package
    names = {*advisory.aliases, *(kept[key].aliases if key in kept else ())}
    kept[key] = dataclasses.replace(kept.get(key, advisory), aliases=sorted(names))
  return sorted(kept.values(), key=lambda advisory: (advisory.package, advisory.id))


def _fetch(url: str, body: Any = None) -> Any:
  request = urllib.request.Request(
    url,
    data=None if body is None else json.dumps(body).encode(),
    headers={"Content-Type": "application/json"},
  )
  try:
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
      return json.load(answer)
  except urllib.error.URLError as err:
    raise OSError(f"{url} does not answer: {err}. Without a network, leave out --refresh.") from err


def _write(
  path: pathlib.Path,
  advisories: Sequence[Advisory],
  locks: Mapping[str, Sequence[Pin]],
  today: datetime.date,
) -> None:
  document = {
    "known_until": today.isoformat(),
    "asked": sorted({str(pin) for pins in locks.values() for pin in pins}),
    "advisories": [dataclasses.asdict(advisory) for advisory in advisories],
  }
  text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
  path.write_text(text, encoding="utf-8")


def _acceptances(path: pathlib.Path) -> Iterator[Acceptance]:
  for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
    for lock, names in entry["advisories"].items():
      for name in names:
        yield Acceptance(
          id=name,
          lock=lock,
          package=entry["package"],
          reason=entry["reason"],
          review=entry["review"],
        )


def _age(
  document: Mapping[str, Any], locks: Mapping[str, Sequence[Pin]], today: datetime.date
) -> str:
  known = datetime.date.fromisoformat(document["known_until"])
  age = f"The list of advisories is of {known}, {(today - known).days} days ago."
  unasked = {str(pin) for pins in locks.values() for pin in pins} - set(document["asked"])
  if unasked:
    age += f" It was made without {', '.join(sorted(unasked))}."
  if unasked or today - known > _OLD:
    age += " With a network, make audit ARGS=--refresh asks anew."
  return age


if __name__ == "__main__":
  sys.exit(main())
