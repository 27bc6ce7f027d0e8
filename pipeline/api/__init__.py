"""What `import dlpipe` and the command line offer: runs, models and history, as values."""
