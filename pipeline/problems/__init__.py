"""Kinds of answers: classes, several labels at once, a number, a text; a module for each.

What a kind knows stands in its module, in one `Problem`: how a source reads an answer, what is
learnt, how the model answers, what is measured, and what a person is shown. `new-task --problem`
names a kind by its module.
"""
