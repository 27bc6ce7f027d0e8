"""The libraries whose ops TensorFlow Serving's binary has in addition to TensorFlow's own.

Source: SUPPORTED_TENSORFLOW_OPS in tensorflow_serving/model_servers/BUILD.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging

_LOG = logging.getLogger(__name__)

_LIBRARIES = ("tensorflow_text", "tensorflow_decision_forests")


@functools.cache
def register_ops() -> None:
  """Loads those of the libraries that are installed. Call it before a SavedModel is read."""
  for name in _LIBRARIES:
    if importlib.util.find_spec(name) is None:
      continue
    try:
      importlib.import_module(name)
    except Exception as err:  # built for another TensorFlow; each library raises another error
      _LOG.warning("Models with ops of %s will not load: %s", name, err)
