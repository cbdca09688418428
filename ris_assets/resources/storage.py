"""Dagster's own storage in the PostgreSQL in use. Named in `dagster.yaml`, which knows no defaults."""

from typing import Any

from dagster_postgres.storage import DagsterPostgresStorage

from ris_assets.resources.databases import databases, sqlalchemy_url
from ris_assets.settings import get_settings


class RisDagsterStorage(DagsterPostgresStorage):
    """dagster-postgres at the Dagster database of the settings; needs no configuration."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: a URL in a file would be a password in a file."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "RisDagsterStorage":
        """Made by Dagster from `dagster.yaml`."""
        url = sqlalchemy_url(databases(get_settings()).dagster)
        return cls(postgres_url=url, inst_data=inst_data)
