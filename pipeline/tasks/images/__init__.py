"""The images task: folders of pictures, manifests, idx files or TFRecords to a classifier."""
