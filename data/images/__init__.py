"""Sample pictures."""
