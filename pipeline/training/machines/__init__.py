"""Adapts training to the machine: devices, workers, XLA."""
