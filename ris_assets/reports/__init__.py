"""From judged models to what MLflow and the Dagster UI show of them: files, plots, tables, model cards."""
