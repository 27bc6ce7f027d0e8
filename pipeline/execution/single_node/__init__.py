"""One node of a compiled pipeline, as an orchestrator has it run."""
