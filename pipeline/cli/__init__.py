"""The command line: one file per command; none imports TensorFlow or TFX before it runs."""
