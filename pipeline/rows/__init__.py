"""Single examples and what a model says of them: origins, predictions, mistakes."""
