"""Puts a blessed model into a TensorFlow Serving directory under the next version number.

`component.VersionedPusher` is the pipeline's side. `publish` is the file system's side: it imports
only the standard library, so that the command line can roll back without TFX.
"""
