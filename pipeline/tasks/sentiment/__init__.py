"""The sentiment task: a classifier of texts from tables, folders, lines or TFRecords."""
