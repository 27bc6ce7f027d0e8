"""The kinds of answers, one module each: a class, several labels, a number, a text.

The `Problem` of a module defines how a source reads an answer, the loss, the outputs of a served
model, the metrics, and what the report shows. `new-task --problem` names a kind by its module.
"""
