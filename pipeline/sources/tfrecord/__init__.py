"""TFRecord files of examples. TensorFlow is imported when a file is read."""
