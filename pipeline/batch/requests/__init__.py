"""The request log comes back: `reading` it, `picking` rows to label, and `joining` labels to it."""
