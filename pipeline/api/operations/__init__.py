"""What a model in production needs: cleaning, stages, logged requests."""
