"""A whole run that an orchestrator carries out, node by node: what ends it as `dlpipe run` ends."""
