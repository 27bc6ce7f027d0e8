"""What the sources of several tasks read with: paths, lines, tables, TFRecords, class folders.

Imports nothing of ours but `components`, and TensorFlow and pyarrow only where a file is read.
"""
