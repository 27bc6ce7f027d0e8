"""The Tuner: trials of a task's settings, each a shorter training."""
