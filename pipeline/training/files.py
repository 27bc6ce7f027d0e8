"""Names of the files that training leaves in its `model_run` artifact, and of its checkpoints."""

from __future__ import annotations

MISTAKES_FILE = "mistakes.json"
SAMPLES_FILE = "samples.json"
# In a folder of the checkpoints, and beside one whose file could not be used.
STATE_FILE = "state.npz"
SET_ASIDE_SUFFIX = "-set-aside.npz"
