"""The report of a run: one HTML file that opens anywhere, without a network and without scripts.

`data.ReportData` is what a runner collects, `render.write_report` writes it. Imports neither
TensorFlow nor TFX.
"""
