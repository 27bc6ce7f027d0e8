"""dlpipe: from pictures, reviews or sentence pairs to a served Keras model.

The ground that everything stands on: errors, records, progress, names of nodes. Light at import.
"""
