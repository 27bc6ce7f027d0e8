"""Other programs that carry out a pipeline, each in a folder of its own."""
