"""Keeps frameworks' messages off the screen in commands that have no log."""

from __future__ import annotations

from pipeline.execution.output import quieten_imports
from serving.quiet_import import quieten_tensorflow


def quieten_screen() -> None:
  """Silences frameworks; call it before TensorFlow, TFX or ml-metadata is imported."""
  quieten_imports(on_screen=True)
  quieten_tensorflow()
