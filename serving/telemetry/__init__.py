"""What the server reports of itself: metrics, the request log, log lines."""
