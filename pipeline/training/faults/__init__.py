"""Faults of a model: found before it is trained, or while it is."""
