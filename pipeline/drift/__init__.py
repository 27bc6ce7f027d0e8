"""What data look like, measured one way for training data, requests and answers, and compared."""
