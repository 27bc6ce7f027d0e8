"""Defines every setting of a run, reads the user's values, and refuses wrong or unused ones."""
