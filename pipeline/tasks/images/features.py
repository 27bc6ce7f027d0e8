"""Defines the names of the images task's features."""

from __future__ import annotations

IMAGE = "image"  # raw: encoded bytes of one picture; also serving_default's input
LABEL = "label"  # raw: the class name
SIZE_BUCKET = "size_bucket"  # raw: the longer side's range in pixels, to slice metrics by

PIXELS = "pixels"  # transformed: [image_size, image_size, 3] float32, whole numbers in [0, 255]
LABEL_ID = "label_id"  # transformed: int64, index into the vocabulary

VOCABULARY = "labels"  # the vocabulary file in the transform graph
