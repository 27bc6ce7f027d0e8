"""Names of files that training leaves in its `model_run` artifact, beside those of a problem."""

from __future__ import annotations

HISTORY_FILE = "history.json"
