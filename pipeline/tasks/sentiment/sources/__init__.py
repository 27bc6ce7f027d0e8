"""The input layouts of the sentiment task.

Importing this package or its modules does not import TensorFlow: the command line lists sources and
checks paths with it.
"""

from __future__ import annotations

from pipeline.sources.text_files.text_tables import TABLE_OPTIONS
from pipeline.task import Source
from pipeline.tasks.sentiment.sources import folder, lines, table, tfrecord

_MODULES = {"tfrecord": tfrecord, "table": table, "folder": folder, "lines": lines}
_OPTIONS = {
  "tfrecord": ("text_feature", "label_feature"),
  "table": ("text_column", "label_column", *TABLE_OPTIONS),
  "lines": ("label_from",),
}

# In the order in which they are tried: bytes or names identify TFRecords, names tables, and
# subfolders class folders. Any other folder, and a file of lines with labels, is read as lines.
SOURCES: dict[str, Source] = {
  name: Source(
    description=module.DESCRIPTION,
    matches=module.matches,
    plan=module.plan,
    read=module.read,
    options=_OPTIONS.get(name, ()),
    usual_columns=table.USUAL_NAMES if module is table else {},
  )
  for name, module in _MODULES.items()
}
