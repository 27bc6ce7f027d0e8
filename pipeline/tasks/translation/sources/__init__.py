"""The input layouts of the translation task.

Importing this package or its modules does not import TensorFlow: the command line lists sources and
checks paths with it.
"""

from __future__ import annotations

from pipeline.sources.text_files.text_tables import TABLE_OPTIONS
from pipeline.task import Source
from pipeline.tasks.translation.sources import aligned, table, tsv

_MODULES = {"table": table, "tsv": tsv, "aligned": aligned}
_OPTIONS = {
  "table": ("source_column", "target_column", *TABLE_OPTIONS),
  "tsv": ("source_column", "target_column", "reverse"),
  "aligned": ("source_language", "target_language"),
}

# In the order in which they are tried: a TSV whose first line names the columns is a table, any
# other TSV is read as pairs; names identify files of two languages.
SOURCES: dict[str, Source] = {
  name: Source(
    description=module.DESCRIPTION,
    matches=module.matches,
    plan=module.plan,
    read=module.read,
    options=_OPTIONS[name],
    usual_columns=table.USUAL_NAMES if module is table else {},
  )
  for name, module in _MODULES.items()
}
