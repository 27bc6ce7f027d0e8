"""Checks data beyond its schema, for `dlpipe check`: balance, lengths, duplicates, leaks."""
