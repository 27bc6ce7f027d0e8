"""Kinds of answers: their metrics, and what a served model says."""
