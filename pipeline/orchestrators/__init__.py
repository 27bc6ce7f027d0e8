"""Other programs that carry out a pipeline: each a folder, and a line in `ORCHESTRATORS`.

The line stands in `pipeline/settings/orchestrators.py`, which says what a folder must hold.
"""
