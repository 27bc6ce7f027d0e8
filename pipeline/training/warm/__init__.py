"""Warm starts: a training that begins from the weights of the served model (`train.warm_start`)."""
