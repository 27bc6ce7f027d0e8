"""Single examples and what a model says of them: origins, predictions, mistakes."""

# Cells of the confusion matrix with examples in the report, the fullest first; examples of each.
SHOWN_CELLS, SHOWN_OF_CELL = 40, 6
# Classes with examples that are right, the commonest first; examples of each.
SHOWN_RIGHT, SHOWN_OF_RIGHT = 20, 3
