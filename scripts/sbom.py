"""Writes a bill of materials (CycloneDX 1.6, JSON) for each lock. Called by `make sbom`.

Names, versions, hashes and dependencies come from the lock. Licences come from the metadata of the
environment's packages if it has the locked version; other packages get none. The same locks in the
same environment give the same bytes: the files hold no time and no random number.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import pathlib
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from lock_files import FOLDER, Pin, find_locks, read_lock
from packaging.utils import canonicalize_name

_PROJECT = "dlpipe"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/schema/bom-1.6.schema.json")
_LONGEST_NAME = 100  # characters of a licence's name; some packages put the whole text there
_SAYS_NOTHING = ("UNKNOWN", "OSI Approved")


def main(arguments: Sequence[str] | None = None) -> int:
  """Writes the files and prints their paths; returns the exit code."""
  parser = argparse.ArgumentParser(description="Write a bill of materials for each lock.")
  parser.add_argument("--folder", type=pathlib.Path, default=FOLDER, help="of the locks")
  parser.add_argument(
    "--output", type=pathlib.Path, default=pathlib.Path("build/sbom"), help="default: %(default)s"
  )
  given = parser.parse_args(arguments)
  version = importlib.metadata.version(_PROJECT)
  licenses = _installed_licenses()
  given.output.mkdir(parents=True, exist_ok=True)
  for lock in find_locks(given.folder):
    document = make_sbom(read_lock(lock), version=version, licenses=licenses)
    path = given.output / f"{lock.stem}.cdx.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    known = sum("licenses" in component for component in document["components"])
    print(f"{path}: {len(document['components'])} components, licences of {known}")
  return 0


def make_sbom(
  pins: Sequence[Pin], *, version: str, licenses: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
  """Returns the document of one lock.

  Args:
    pins: the lock's packages.
    version: version of this project.
    licenses: CycloneDX licences by `name==version`.
  """
  root = f"pkg:pypi/{_PROJECT}@{version}"
  refs = {pin.name: f"pkg:pypi/{pin.name}@{pin.version}" for pin in pins}
  wants: dict[str, list[str]] = {ref: [] for ref in (root, *refs.values())}
  for pin in pins:
    for parent in pin.wanted_by or (_PROJECT,):  # without a parent, our own .in file requires it
      wants[refs.get(parent, root)].append(refs[pin.name])
  document: dict[str, Any] = {
    "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "metadata": {
      "component": {
        "type": "application",
        "bom-ref": root,
        "name": _PROJECT,
        "version": version,
        "purl": root,
      }
    },
    "components": [_component(pin, refs[pin.name], licenses) for pin in pins],
    "dependencies": [
      {"ref": ref, "dependsOn": sorted(set(wanted))} for ref, wanted in sorted(wants.items())
    ],
  }
  number = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
  return {"serialNumber": f"urn:uuid:{number}", **document}


def _component(pin: Pin, ref: str, licenses: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
  component: dict[str, Any] = {
    "type": "library",
    "bom-ref": ref,
    "name": pin.name,
    "version": pin.version,
    "purl": ref,
    "hashes": [{"alg": "SHA-256", "content": digest} for digest in pin.hashes],
  }
  if str(pin) in licenses:
    component["licenses"] = licenses[str(pin)]
  return component


def _installed_licenses() -> dict[str, list[dict[str, Any]]]:
  found = {}
  for package in importlib.metadata.distributions():
    name = canonicalize_name(package.metadata["Name"])
    found[f"{name}=={package.version}"] = _licenses(package.metadata)
  return {name: licenses for name, licenses in found.items() if licenses}


def _licenses(metadata: Any) -> list[dict[str, Any]]:
  """Returns licences in CycloneDX's form: an SPDX expression, or the package's own names."""
  expression = metadata.get("License-Expression")
  if expression:
    return [{"expression": expression}]
  classifiers = metadata.get_all("Classifier") or ()
  names = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
  text = (metadata.get("License") or "").strip()
  if all(name in _SAYS_NOTHING for name in names) and "\n" not in text:
    names = [text[:_LONGEST_NAME]]
  return [{"license": {"name": name}} for name in names if name and name not in _SAYS_NOTHING]


if __name__ == "__main__":
  sys.exit(main())
