"""The report of a run: one HTML file that opens anywhere, without a network and without scripts.

A runner collects `data.ReportData`; `render.write_report` writes the file. Imports neither
TensorFlow nor TFX.
"""
