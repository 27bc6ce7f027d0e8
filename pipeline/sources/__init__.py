"""Readers that the sources of several tasks share: paths, lines, tables, TFRecords, class folders.

Imports only `dlpipe` of our packages, and TensorFlow and pyarrow only when a file is read.
"""
