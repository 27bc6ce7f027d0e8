"""In the application's environment, the application's names are the application's.

Many a project has a `pipeline.py`, a `data/` or a `serving/` of its own. Where its folder comes
first on Python's path (`python -m`, PYTHONPATH=., an IDE), those would be imported instead of ours.
`setup.py` installs a copy of this file into the environment, and a `.pth` file that has each of its
interpreters call `install` at its start: commands, Beam's workers, nodes, servers. A finder then
answers for our names before the path is searched, and for no others. The image of the server, which
has no `setup.py`, does the same with `python dlpipe/own_names.py FOLDER`.

A folder on the path that holds the whole application, such as another checkout, is taken for it.
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
# Where a checkout has the packages that are not directly in it.
_CLIENT = os.path.join("serving", "client")


class OwnNames:
  """Finds our packages in the application's folder, wherever else modules of their names are."""

  def __init__(self, root: str):
    """Args: the folder that holds the application, where none on the path does."""
    self.root = root

  def find_spec(
    self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
  ) -> importlib.machinery.ModuleSpec | None:
    """Where one of our packages is; None for any other module, and for what is not there."""
    if name not in NAMES:
      return None
    root = next(filter(is_application, _folders()), self.root)
    return importlib.machinery.PathFinder.find_spec(name, [root, os.path.join(root, _CLIENT)])


def install(root: str) -> None:
  """Puts the finder before all others; once, however often it is called."""
  if not any(type(finder).__name__ == OwnNames.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, OwnNames(root))


def is_application(folder: str) -> bool:
  """Returns whether a folder holds the whole application."""
  return os.path.isfile(os.path.join(folder, _MARK))


def write_start(folder: str, root: str | None) -> list[str]:
  """Has the interpreters of an environment call `install` when they start.

  Args:
    folder: the environment's site-packages.
    root: the folder that holds the application; None for `folder` itself, wherever it will be.

  Returns:
    The files written.
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
  """Says of an import that fails which module of the user a name of ours hides; None if none."""
  hidden = _hidden(error.name or "")
  if hidden is None:
    return None
  name = str(error.name).partition(".")[0]
  return (
    f"{type(error).__name__}: {error}. `{name}` is a package of dlpipe, which hides yours "
    f"({hidden}): give yours another name."
  )


def _hidden(name: str) -> str | None:
  """Returns the file or folder of a module that would be imported, were a name of ours not before it."""
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
  # A folder without `__init__.py` is one of data, unless there is Python in it.
  return next(
    (place for place in places if any(file.endswith(".py") for file in os.listdir(place))), None
  )


def _folders() -> Iterator[str]:
  return (folder for folder in sys.path if isinstance(folder, str))


if __name__ == "__main__":
  import sysconfig

  write_start(sysconfig.get_path("purelib"), sys.argv[1])
