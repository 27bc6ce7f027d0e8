"""Behaviour that a model must show: reviewed tests beside the schema, and what came of them."""
