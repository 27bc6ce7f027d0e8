"""Processes text in the transform graph, with core TensorFlow ops only; used by all text tasks."""
