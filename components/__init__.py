"""TFX components of our own. Imports nothing of `pipeline` or `serving`; light at import.

Artifact types of our own are attributes of this package, too, imported when asked for: Kubeflow
names a type by one dot, and finds its class by that name.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
  # Only for what may be a class: whatever else is asked of a package must not import TFX.
  if name[:1].isupper():
    found = getattr(importlib.import_module("components.artifacts"), name, None)
    if getattr(found, "TYPE_NAME", None) == f"{__name__}.{name}":
      return found
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
