"""The input layouts of the images task, and what is inferred from them.

Importing this package or its modules does not import TensorFlow: the command line lists sources and
checks paths with it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from pipeline.sources.text_files.text_tables import TABLE_OPTIONS
from pipeline.task import Source
from pipeline.tasks.images.sources import folder, idx, manifest, tfrecord

_MODULES = {"idx": idx, "tfrecord": tfrecord, "manifest": manifest, "folder": folder}
_OPTIONS = {
  "tfrecord": ("image_feature", "label_feature"),
  "manifest": ("path_column", "label_column", *TABLE_OPTIONS),
}

# In the order they are tried: idx files and TFRecords are told by their bytes or names, a CSV by
# its columns, and any other folder is taken for class folders, whose plan says what is missing.
SOURCES: dict[str, Source] = {
  name: Source(
    description=module.DESCRIPTION,
    matches=module.matches,
    plan=module.plan,
    read=module.read,
    options=_OPTIONS.get(name, ()),
    usual_columns=manifest.USUAL_NAMES if module is manifest else {},
  )
  for name, module in _MODULES.items()
}

_SAMPLE = 200
_MIN_SIZE, _MAX_SIZE = 28, 96
_STEP = 8


def infer_image_size(source_name: str, data_path: str, options: Mapping[str, Any]) -> int:
  """Returns the side in pixels of the square that fits this data: the median of the shorter sides.

  From 28 to 96, above 32 a multiple of 8; read from the headers of up to 200 pictures.

  Args:
    source_name: a key of `SOURCES`.
    data_path: the input.
    options: the data options.

  Raises:
    BadInputError: the source cannot use the input.
  """
  shorter = [min(size) for size in _MODULES[source_name].sizes(data_path, options, _SAMPLE)]
  if not shorter:
    return _MIN_SIZE
  size = min(max(int(statistics.median(shorter)), _MIN_SIZE), _MAX_SIZE)
  return size if size <= 32 else size // _STEP * _STEP
