"""Refuses an exported model that does not answer as the trained model did.

`component.ServingGate` is the pipeline's side, `replay` loads and runs the export, `compare` holds
its answers to the expected ones.
"""
