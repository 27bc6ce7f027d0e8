"""Names of the translation task's features; the one place where they are written."""

from __future__ import annotations

SOURCE = "text"  # raw: one sentence as it was written; also serving_default's input
TARGET = "target"  # raw: its translation
LENGTH_BUCKET = "length_bucket"  # raw: the range of the source's words, to slice metrics by
