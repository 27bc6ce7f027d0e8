"""Answers prediction requests from a TensorFlow Serving directory; knows nothing of pipelines.

The contract with whatever trained the model is a directory, `<base>/<version>/saved_model.pb`, and
the names of its signatures.
"""
