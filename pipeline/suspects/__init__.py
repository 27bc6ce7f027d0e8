"""Finds labels that are likely wrong, from scores of models that did not learn them."""
