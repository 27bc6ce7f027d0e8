"""Tables, folders and lines of texts."""
