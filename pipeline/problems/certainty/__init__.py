"""What a model does not know: sets that hold the answer as often as asked, and strange inputs.

`Problem.certainty` names a class of `sets` or `interval`; `pipeline.training.export.certain` fits
it on val and adds its outputs to the exported graph.
"""
