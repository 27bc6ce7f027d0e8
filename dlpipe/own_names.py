"""Makes imports of our packages find our packages, even if a user's module has the same name.

Many projects have a `pipeline.py`, a `data/` or a `serving/`. If their folder comes first on
Python's path (`python -m`, PYTHONPATH=., an IDE), Python would import those instead of ours.
`setup.py` installs a copy of this file into the environment, and a `.pth` file by which every
interpreter (commands, Beam's workers, nodes, servers) calls `install` when it starts. A finder then
resolves our names, and no others, before Python searches the path. The image of the server has no
`setup.py` and runs `python dlpipe/own_names.py FOLDER` instead.

If a folder on the path holds the whole application, such as another checkout, the finder uses it.
Imports only the standard library, and little of it.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

NAMES = frozenset(
  {"components", "data", "dlpipe", "dlpipe_client", "pipeline", "schemas", "serving"}
)
_MARK = os.path.join("dlpipe", "own_names.py")
# The folders of packages that are not at the top of a checkout.
_CLIENT = os.path.join("serving", "client")


class OwnNames:
  """Finds our packages in the application's folder, even if other modules have their names."""

  def __init__(self, root: str):
    """Takes the folder of the application, for use if no folder on the path holds it."""
    self.root = root

  def find_spec(
    self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
  ) -> importlib.machinery.ModuleSpec | None:
    """Returns the spec of one of our packages; None for other modules and missing ones."""
    if name not in NAMES:
      return None
    root = next(filter(is_application, _folders()), self.root)
    return importlib.machinery.PathFinder.find_spec(name, [root, os.path.join(root, _CLIENT)])


def install(root: str) -> None:
  """Puts the finder before all others; a second call does nothing."""
  if not any(type(finder).__name__ == OwnNames.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, OwnNames(root))


def is_application(folder: str) -> bool:
  """Returns whether a folder holds the whole application."""
  return os.path.isfile(os.path.join(folder, _MARK))


def write_start(folder: str, root: str | None) -> list[str]:
  """Makes every interpreter of an environment call `install` when it starts.

  Args:
    folder: the environment's site-packages.
    root: folder of the application; None if it is `folder`, even after that has moved.

  Returns:
    Paths of the written files.
  """
  there = "os.path.dirname(own.__file__)" if root is None else ascii(os.path.abspath(root))
  with open(__file__, encoding="utf-8") as source:
    texts = {
      "_dlpipe_own_names.py": source.read(),
      "dlpipe_own_names.pth": f"import os, _dlpipe_own_names as own; own.install({there})\n",
    }
  paths = [os.path.join(folder, name) for name in texts]
  for path, text in zip(paths, texts.values(), strict=True):
    with open(path, "w", encoding="utf-8") as file:
      file.write(text)
  return paths


def explain(error: ImportError) -> str | None:
  """Returns which user module our name hides, if that explains a failed import; else None."""
  hidden = _hidden(error.name or "")
  if hidden is None:
    return None
  name = str(error.name).partition(".")[0]
  return (
    f"{type(error).__name__}: {error}. `{name}` is a package of dlpipe, which hides yours "
    f"({hidden}): give yours another name."
  )


def _hidden(name: str) -> str | None:
  """Returns the file or folder that Python would import if our package did not hide it."""
  top, *parts = name.split(".")
  if top not in NAMES:
    return None
  places: Sequence[str] = [folder for folder in _folders() if not is_application(folder)]
  spec = None
  for part in (top, *parts):
    spec = importlib.machinery.PathFinder.find_spec(part, places)
    if spec is None:
      return None
    places = list(spec.submodule_search_locations or ())
  if spec is not None and spec.origin is not None:
    return spec.origin
  # A folder without `__init__.py` and without Python files holds data.
  return next(
    (place for place in places if any(file.endswith(".py") for file in os.listdir(place))), None
  )


def _folders() -> Iterator[str]:
  return (folder for folder in sys.path if isinstance(folder, str))


if __name__ == "__main__":
  import sysconfig

  write_start(sysconfig.get_path("purelib"), sys.argv[1])
