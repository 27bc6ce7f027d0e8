"""Extracts the cause from TensorFlow's error messages, for users."""

from __future__ import annotations

import re

# The text around the cause: places in the graph and in the code.
_PLACES = re.compile(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:[^\]\n]*\]?")
_AROUND = ("Graph execution error", "Detected at node", 'File "', "<stack traces")
_ROOT_ERRORS = re.compile(r"\d+ root error\(s\) found\.$")
_FIRST_ROOT, _SECOND_ROOT = re.compile(r"\(0\) ?([A-Z_]+: )?"), "(1)"
# An assertion with one sentence, by which exported models refuse an input.
_ASSERTION = re.compile(r"assertion failed: \[([^\[\]]*)\]$")


def words_of(error: Exception | str) -> str:
  """Returns the cause in a TensorFlow error or message on one line, without names of the graph.

  ```python
  words_of("{{function_node f}} assertion failed: [the text is empty]\\n\\t [[{{node a}}]]")
  # "the text is empty"
  ```
  """
  message = error if isinstance(error, str) else str(getattr(error, "message", "") or error)
  told = []
  for line in _PLACES.sub(" ", message).splitlines():
    words = " ".join(line.split())
    if words.startswith(_SECOND_ROOT):
      break
    words = _FIRST_ROOT.sub("", words, count=1) if words.startswith("(0)") else words
    if words and not words.startswith(_AROUND) and not _ROOT_ERRORS.match(words):
      told.append(words)
  if not told:
    return " ".join(message.split()) or type(error).__name__
  said = _ASSERTION.match(told[0])
  return said[1] if said else " ".join(told)
