"""The page of `dlpipe run --watch`: what a run tells, kept as values and served to a browser."""
