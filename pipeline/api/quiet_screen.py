"""Keeps frameworks' words off the screen in commands that have no log to send them to."""

from __future__ import annotations

from pipeline.execution.output import quieten_imports
from serving.quiet_import import quieten_tensorflow


def quieten_screen() -> None:
  """To be called before TensorFlow, TFX or the metadata store's library is imported."""
  quieten_imports(on_screen=True)
  quieten_tensorflow()
