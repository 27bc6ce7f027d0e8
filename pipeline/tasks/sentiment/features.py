"""Names of the sentiment task's features; the one place where they are written."""

from __future__ import annotations

TEXT = "text"  # raw: one text as it was written; also serving_default's input
LABEL = "label"  # raw: the class name
LENGTH_BUCKET = "length_bucket"  # raw: the range of the number of words, to slice metrics by
