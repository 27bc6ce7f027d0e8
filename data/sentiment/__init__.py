"""Sample reviews."""
