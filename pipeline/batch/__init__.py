"""Offline predictions: reads inputs, asks a pushed model on Beam's workers, writes one file.

Only the command line imports this package. The contract with the model is a SavedModel directory
and the name `serving_default`. Of the server it imports `serving.models`, to ask the model as the
server does.
"""
