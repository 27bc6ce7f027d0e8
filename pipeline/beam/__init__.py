"""Beam's options and engines, the same for pipelines and for batch predictions."""
