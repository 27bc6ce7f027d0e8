"""The results of runs, read from artifacts and from the metadata store."""
