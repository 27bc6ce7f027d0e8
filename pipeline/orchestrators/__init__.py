"""Compiles pipelines for other orchestrators: each has a folder here and a line in `ORCHESTRATORS`.

`pipeline/settings/orchestrators.py` holds `ORCHESTRATORS`, and says what a folder must contain.
"""
