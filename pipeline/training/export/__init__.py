"""Exports a trained model: the SavedModel, and the files that serving needs beside it."""
