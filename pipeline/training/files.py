"""Names of the files in a training's checkpoint folder."""

from __future__ import annotations

# In a folder of the checkpoints, and beside one whose file could not be used.
STATE_FILE = "state.npz"
SET_ASIDE_SUFFIX = "-set-aside.npz"
