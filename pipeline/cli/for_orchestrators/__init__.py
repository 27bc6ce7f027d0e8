"""The commands for orchestrators: those that they call, and those that write their files."""
