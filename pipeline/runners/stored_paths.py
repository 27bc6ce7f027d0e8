"""How a metadata store in a workspace names what lies beside it, so that both can be moved.

In the file, `${DLPIPE_ROOT}` stands for the folder that the file lies in. Whoever opens it is given
the paths where they are now. Imports only the standard library.
"""

from __future__ import annotations

import json
import os
import re

ROOT = "${DLPIPE_ROOT}"
# The same within JSON, where a folder's name may be escaped.
_ROOT_IN_JSON = "${DLPIPE_ROOT:json}"
# Part of a longer path is no path of ours: neither /mnt/ws of /ws, nor /ws-old.
_NOT_BEFORE, _NOT_AFTER = r"(?<![\w./~+@%-])", r"(?![^/\"'\\,;:\s)\]}])"


class StoredPaths:
  """Translates texts between a process and the store in a folder.

  Args:
    root: the folder, where it is now.
  """

  def __init__(self, root: str | os.PathLike[str]):
    folder = os.path.abspath(root)
    names = {ROOT: folder, _ROOT_IN_JSON: json.dumps(folder)[1:-1]}
    if names[_ROOT_IN_JSON] == folder:
      del names[_ROOT_IN_JSON]
    self._names = {} if folder == os.sep else names
    self._patterns = {
      name: re.compile(_NOT_BEFORE + re.escape(path) + _NOT_AFTER)
      for name, path in self._names.items()
    }

  def stored(self, text: str) -> str:
    """A text as the store has it: the same wherever the folder lies."""
    for name, pattern in self._patterns.items():
      # A function, because a replacement would be read as a template.
      text = pattern.sub(lambda _, name=name: name, text)  # type: ignore[misc]
    return text

  def found(self, text: str) -> str:
    """A stored text with the paths where they are now."""
    for name, path in self._names.items():
      text = text.replace(name, path)
    return text
