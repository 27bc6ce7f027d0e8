"""What became of runs: read back from artifacts and from the metadata store."""
