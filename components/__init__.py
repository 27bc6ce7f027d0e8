"""TFX components of our own. Imports nothing of `pipeline` or `serving`; light at import."""
