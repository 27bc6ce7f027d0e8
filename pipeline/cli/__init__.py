"""The command line: one file a command; none imports TensorFlow or TFX before it runs."""
