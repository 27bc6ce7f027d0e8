"""The Evaluator: TFX's, which computes the metrics, and one judge of the gates on them.

`component` has what the assembly imports, `executor` what it does when it runs. How a gate is
judged is a function of the pipeline, given by dotted path: `pipeline.gates.judge`.
"""
