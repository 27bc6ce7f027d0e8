"""Writes the translation task's sample data at first use, to a fixed path."""

from __future__ import annotations

from data.translation import sentences
from pipeline.shipped import shipped_path


def shipped_data() -> str:
  """Writes the made-up sentence pairs at first use; returns their path.

  Raises:
    BadInputError: the cache folder cannot be written.
  """
  return shipped_path(sentences.write_sentences, "translation", "sentences.tsv")
