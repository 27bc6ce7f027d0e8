"""Reviewed schemas, a folder for each task; no code."""
