"""What `dlpipe check` says about data beyond its schema: balance, lengths, duplicates, leaks."""
