"""Decodes pictures in graph to the pixels that viewers show."""
