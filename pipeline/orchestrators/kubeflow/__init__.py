"""Kubeflow Pipelines v2 and Vertex AI: a task's pipeline as a spec that their backends run.

`compiling.write` writes the spec that `spec` makes; `section` defines the settings, `settings`
checks that the backends accept them, and every node's container starts `container`. Nothing here
contacts a cluster or needs an account.
"""
