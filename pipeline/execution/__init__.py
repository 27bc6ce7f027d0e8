"""Carries out a pipeline that `pipeline.assembly` drew, and tells listeners what happens."""
