"""Pure functions from snapshot frames to what models read and people are told."""
