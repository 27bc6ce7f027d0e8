"""Inspects the environment and the workspace for `dlpipe doctor`."""
