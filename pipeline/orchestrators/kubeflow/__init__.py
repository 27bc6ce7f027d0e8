"""Kubeflow Pipelines v2 and Vertex AI: a task's pipeline as a spec that their backends run.

`compiling.write` writes the spec, which `spec` makes; `section` is what a user may say, `settings`
holds it to what the backends take, and `container` is what every node's container starts. Nothing
here asks a cluster or an account.
"""
