"""Writes the shipped sample data and fetches public data sets; imports no other package of ours."""
