"""The commands that other programs call, and that write what those read."""
