"""The input layouts of the images task, and the inference of the picture size.

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

# In the order in which they are tried: bytes or names identify idx files and TFRecords, columns a
# CSV. Any other folder is read as class folders, whose plan reports what is missing.
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
_MIN_SIZE, _MAX_SIZE = 16, 96
_STEP = 8


def infer_image_size(source_name: str, data_path: str, options: Mapping[str, Any]) -> int:
  """Returns the picture size in pixels for this data: the median of the shorter sides.

  The size is between 16 and 96, and above 32 a multiple of 8. Reads the headers of up to 200
  pictures.

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
