"""The dbt project against a real PostgreSQL, on hand-written members."""
