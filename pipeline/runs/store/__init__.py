"""Metadata stores: where they are, and how a workspace that moved is found in them."""
