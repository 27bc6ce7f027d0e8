"""Encoded pictures to the pixels that viewers show, in graph."""
