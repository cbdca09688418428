"""Thin gateways to the outside: MongoDB, PostgreSQL, MLflow, the embedded server. No business rules."""
