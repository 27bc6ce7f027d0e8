"""Implements `import dlpipe`, for Python and the command line: runs, models and history."""
