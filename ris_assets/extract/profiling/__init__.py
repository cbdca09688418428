"""Profiling of document collections nobody has described: what is in them, and a first source map."""
