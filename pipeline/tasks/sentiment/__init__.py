"""The sentiment task: tables, folders or lines of texts and TFRecords to a classifier of texts."""
