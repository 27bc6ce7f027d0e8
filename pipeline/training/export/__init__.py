"""What a training leaves: the SavedModel and what lies beside it."""
