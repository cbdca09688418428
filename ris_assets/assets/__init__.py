"""Dagster assets, one file a stage. Bodies are thin; the work is done by the pure packages."""
