"""From raw files to a model in a TensorFlow Serving directory, through a TFX pipeline."""
