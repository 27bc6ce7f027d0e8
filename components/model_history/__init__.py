"""Finds the model to compare a candidate with, if no node can read a metadata store.

`history` keeps the models of a task in a file; `component` has the nodes that ask and write it.
They find what the resolver strategy of `components.previous_model` finds:
docs/decisions/0003-previous-model.md.
"""
