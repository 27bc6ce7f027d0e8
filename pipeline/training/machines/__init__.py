"""What a training runs on: devices, workers, XLA."""
