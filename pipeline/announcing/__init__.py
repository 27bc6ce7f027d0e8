"""Tells people and other programs how a run ended, from its one record."""
