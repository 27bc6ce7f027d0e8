"""The images task: a classifier of pictures from folders, manifests, idx files or TFRecords."""
