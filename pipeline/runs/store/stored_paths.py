"""Names the paths in a workspace's metadata store relative to it, so that both can be moved.

In the file, `${DLPIPE_ROOT}` stands for the folder that contains the file. Readers get absolute
paths. Imports only the standard library.
"""

from __future__ import annotations

import json
import os
import re

ROOT = "${DLPIPE_ROOT}"
# The same within JSON, in which a folder's name may be escaped.
_ROOT_IN_JSON = "${DLPIPE_ROOT:json}"
# Part of a longer path is no path of ours: neither /mnt/ws of /ws, nor /ws-old.
_NOT_BEFORE, _NOT_AFTER = r"(?<![\w./~+@%-])", r"(?![^/\"'\\,;:\s)\]}])"


class StoredPaths:
  """Translates texts between a process and the store in a folder.

  Args:
    root: the folder that contains the store.
  """

  def __init__(self, root: str | os.PathLike[str]):
    folder = os.path.abspath(root)
    self._names = {ROOT: folder, _ROOT_IN_JSON: json.dumps(folder)[1:-1]}
    # Where both are the same, the first stands for it. In the root of all, every path would.
    stored = {path: name for name, path in reversed(self._names.items()) if path != os.sep}
    self._patterns = [
      (re.compile(_NOT_BEFORE + re.escape(path) + _NOT_AFTER), name)
      for path, name in stored.items()
    ]

  def stored(self, text: str) -> str:
    """Returns a text as the store has it: the same wherever the folder lies."""
    for pattern, name in self._patterns:
      text = pattern.sub(name, text)
    return text

  def found(self, text: str) -> str:
    """Returns a stored text with absolute paths."""
    for name, path in self._names.items():
      text = text.replace(name, path)
    return text

  def key(self, text: str) -> str:
    """Returns the text in a cache key: the same whatever the folder is called."""
    return self.stored(text).replace(_ROOT_IN_JSON, ROOT)
