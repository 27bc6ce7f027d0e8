"""Refuses an exported model that does not answer as the trained model did.

`component.ServingGate` is the pipeline's side. `parity` asks in every way: `replay` loads and runs
the export in this process; `server_replay` asks the model server, which `server_process` starts,
executes the examples (`snippets`) and has the `latency` measured. `compare` holds each answer to
the expected one. `serving_ops` knows what a release of TensorFlow Serving can run.
"""
