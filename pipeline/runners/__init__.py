"""Runners carry out a pipeline that `pipeline.assembly` drew and tell listeners what happens.

`events` and `result` are what a runner says; `terminal` shows it to a person and `output` keeps
everything else off the screen. Those four import neither TensorFlow nor TFX. Each orchestrator has
a module of its own, the only one that imports it.
"""
