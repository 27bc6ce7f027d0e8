"""The Evaluator: TFX's, which computes the metrics, and one judge of the gates on them.

`component` has the class that the assembly imports, `executor` the code that runs. The judge of the
gates is a function of the pipeline, given by dotted path: `pipeline.gates.judge`.
"""
