"""What a caller is told of an error inside a graph: the sentence first.

TensorFlow Serving passes the graph's message through, and so does this server, every word of it.
Two things differ. The names of functions, some hundred characters that stand before the sentence,
stand after it. And a model that refuses an input in words that are for its caller, as those of
`pipeline.training.export.signatures` do by an assertion in the scope `servable_input`, is quoted
and nothing else.
"""

from __future__ import annotations

import re

_FUNCTIONS = re.compile(r"\s*(?:\{\{function_node [^{}]*\}\}\s*)+")
_REFUSAL = re.compile(r"assertion failed: \[([^\[\]]*)\]\s*\[\[[^\[\]]*\bservable_input\b")


def for_caller(message: str) -> str:
  r"""The message of a graph's error as the caller gets it.

  ```python
  for_caller("{{function_node f}} In[0] is [1,3]\n\t [[{{node MatMul}}]]")
  # "In[0] is [1,3]\n\t [[{{node MatMul}}]] {{function_node f}}"
  ```
  """
  if refusal := _REFUSAL.search(message):
    return refusal[1]
  functions = _FUNCTIONS.match(message)
  if functions is None:
    return message
  return f"{message[functions.end() :]} {functions[0].strip()}"
