"""Names of the files that training leaves in its `model_run` artifact."""

from __future__ import annotations

HISTORY_FILE = "history.json"
MISTAKES_FILE = "mistakes.json"
SAMPLES_FILE = "samples.json"
