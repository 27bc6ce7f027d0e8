"""Defines the names of the sentiment task's features."""

from __future__ import annotations

TEXT = "text"  # raw: one text as it was written; also serving_default's input
LABEL = "label"  # raw: the class name
LENGTH_BUCKET = "length_bucket"  # raw: the range of the number of words, to slice metrics by

WORD_IDS = "word_ids"  # transformed: [max_words] int64, 0 after the text's end
START_IDS = "start_ids"  # transformed: [max_words] int64, ids of the first characters of each word
END_IDS = "end_ids"  # transformed: [max_words] int64, ids of the last characters of each word
TOKENS = "tokens"  # transformed: [max_words] string, the words as they are read, to explain answers
OOV_BUCKET = "oov_bucket"  # transformed: the share of words that the vocabulary lacks, to slice by
LABEL_ID = "label_id"  # transformed: int64, index into the vocabulary of labels

VOCABULARY = "labels"  # the vocabulary file of labels in the transform graph
WORDS = "words"  # the vocabulary file of words, with their counts

# Lengths of word parts in characters; negative ones count from the end. Chosen by cross-validation
# on film reviews, in which words without parts had 1.5 points less accuracy.
STEM_CHARS, START_CHARS, END_CHARS = 6, 4, -4
