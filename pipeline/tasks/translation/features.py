"""Defines the names of the translation task's features."""

from __future__ import annotations

SOURCE = "text"  # raw: one sentence as it was written; also serving_default's input
TARGET = "target"  # raw: its translation
LENGTH_BUCKET = "length_bucket"  # raw: the range of the source's words, to slice metrics by

SOURCE_IDS = "source_ids"  # transformed: [max_pieces] int64, 0 after the end
TARGET_IDS = "target_ids"  # transformed: [max_pieces] int64, ends with END, then 0
SPELLINGS = "spellings"  # transformed: [max_pieces] string, the source's words without pieces
OOV_BUCKET = "oov_bucket"  # transformed: string, the share of source words of several pieces

SOURCE_VOCABULARY = "source_pieces"  # vocabulary files in the transform graph
TARGET_VOCABULARY = "target_pieces"
