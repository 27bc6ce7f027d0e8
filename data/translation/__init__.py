"""Sample sentence pairs."""
