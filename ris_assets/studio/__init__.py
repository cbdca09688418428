"""The demo studio: a simulator with a written-down hazard, and the writer of its documents.

Callers use `ris_assets.studio.config` (what to simulate) and `ris_assets.studio.simulate` (do it).
Nothing here knows Dagster, MLflow or a database; the output is a directory in `mongodump` format.
"""
