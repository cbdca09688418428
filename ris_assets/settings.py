"""What the environment says: `RIS_*` variables, validated at once. The only reader of `os.environ`.

`RIS_HOME/settings.env` holds what RIS itself was told to remember (the demo's source, for one); a variable
of the environment always wins over it.
"""

import os
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ris_assets.errors import RisError

REPO_ROOT = Path(__file__).resolve().parent.parent
REMEMBERED = "settings.env"


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(
            f"unknown time zone {name!r}; write a tz database name such as Asia/Almaty"
        )
    return name


def _postgres_url(url: str | None) -> str | None:
    if url is not None and urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise ValueError("must start with postgresql://")
    return url


def _mongo_url(url: str | None) -> str | None:
    if url is not None and not url.startswith(("mongodb://", "mongodb+srv://", "file:")):
        raise ValueError("must start with mongodb://, mongodb+srv:// or file:")
    if url is not None and url.startswith("file:"):
        return f"file:{Path(url.removeprefix('file:')).absolute()}"
    return url


def _readable(path: Path | None) -> Path | None:
    if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
        raise ValueError(f"the file {path} cannot be read")
    return path and path.absolute()


def _known_country(code: str) -> str:
    import holidays

    if code not in holidays.list_supported_countries():
        raise ValueError(f"unknown country {code!r}; write an ISO 3166 code such as KZ")
    return code


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day; write YYYY-MM-DD") from None


PostgresUrl = Annotated[str | None, AfterValidator(_postgres_url)]


class Settings(BaseModel):
    """The settings in force. URLs may hold passwords and never show in `repr`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    home: Path = Field(REPO_ROOT / ".ris", description="Where all state lives")
    postgres_url: PostgresUrl = Field(None, repr=False, description="Marts database")
    dagster_postgres_url: PostgresUrl = Field(None, repr=False, description="Dagster's database")
    mlflow_postgres_url: PostgresUrl = Field(None, repr=False, description="MLflow's database")
    mongo_url: Annotated[str | None, AfterValidator(_mongo_url)] = Field(None, repr=False)
    source_map: Annotated[Path | None, AfterValidator(_readable)] = None
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Almaty"
    country: Annotated[str, AfterValidator(_known_country)] = "KZ"
    reconcile_days: int = Field(7, ge=0, description="How often what changes is read whole, days")
    deleted_share: float = Field(
        0.5, ge=0, le=1, description="Share of an entity's documents that may vanish at once"
    )
    call_cost: float = Field(
        1.0, ge=0, description="Cost of one call, in any unit of money that the next setting shares"
    )
    kept_value: float = Field(
        20.0, ge=0, description="Worth of a member who would have left and is kept"
    )
    call_success: float = Field(0.2, ge=0, le=1, description="Share of them that a call keeps")
    start_date: Annotated[date, BeforeValidator(_day)] = Field(
        date(2026, 1, 1), description="First daily partition"
    )

    @property
    def zone(self) -> ZoneInfo:
        """The studio's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def source_url(self) -> str:
        """Where the documents are.

        Raises:
            RisError: no source is configured.
        """
        if not self.mongo_url:
            raise RisError(
                "No document source: set RIS_MONGO_URL to mongodb://... or file:<dump folder>,"
                " or run `ris demo`."
            )
        return self.mongo_url


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        RisError: a variable does not hold what it must; the message names it.
    """
    home = Path(os.environ.get("RIS_HOME") or REPO_ROOT / ".ris").expanduser().absolute()
    values = {**_remembered(home), **os.environ, "RIS_HOME": str(home)}
    return parse_settings(values)


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from `RIS_*` variables; empty ones count as unset."""
    fields: dict[str, Any] = {
        name: environment[f"RIS_{name.upper()}"]
        for name in Settings.model_fields
        if environment.get(f"RIS_{name.upper()}")
    }
    try:
        return Settings.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = "RIS_" + str(first["loc"][0]).upper()
        raise RisError(f"{name}: {first['msg'].removeprefix('Value error, ')}.") from None


def forget_settings() -> None:
    """Read the environment again at the next `get_settings`."""
    get_settings.cache_clear()


def _remembered(home: Path) -> dict[str, str]:
    file = home / REMEMBERED
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def remember(home: Path, values: Mapping[str, str]) -> None:
    """Keep settings in RIS_HOME for later commands; the environment still wins over them."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {**_remembered(home), **values}
    (home / REMEMBERED).write_text("".join(f"{k}={v}\n" for k, v in sorted(kept.items())))
    forget_settings()
