"""Predicts offline: reads inputs, calls a pushed model on Beam's workers, writes one file.

Only the command line imports this package. Its contract with the model is a SavedModel directory
and the name `serving_default`. It imports `serving.models`, to call the model as the server does.
"""
