"""Reads tables and lines of texts, for the sources of text tasks."""
