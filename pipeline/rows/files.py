"""The names of the files of a `Predictions` artifact."""

FILE = "predictions.parquet"
SHOWN_FILE = "shown.json"
REASONS_FILE = "reasons.json"
