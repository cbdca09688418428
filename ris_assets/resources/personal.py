"""Personal details: one table in a schema with grants of its own, and who is to be forgotten for good.

Names, numbers and addresses live here and nowhere else. Of a forgotten person stays a salted digest of the
ids, so that the next extraction does not bring the person back.
"""

import polars as pl
import psycopg

from ris_assets.contracts.columns import Column, Table
from ris_assets.resources.postgres import PostgresResource, copy_frame

PERSONAL_SCHEMA = "ris_personal"
READER = "ris_personal_reader"
DETAILS = Table(
    PERSONAL_SCHEMA,
    "details",
    "One row is a personal detail of a document, as last read",
    ("entity", "source_id", "field"),
    (
        Column("entity", "text", "Entity whose map marks the detail", True),
        Column("source_id", "text", "Identity of the document (and array element)", True),
        Column("field", "text", "Name given to the detail in the source map", True),
        Column("user_id", "text", "Whose it is, where the document says so"),
        Column("value", "text", "The detail", True),
        Column("known_at", "timestamptz", "When it was last read", True),
    ),
)
FORGOTTEN = Table(
    PERSONAL_SCHEMA,
    "forgotten",
    "One row is an id that must not come back: a person's, or of something that was the person's",
    ("id_digest",),
    (
        Column("id_digest", "text", "SHA-256 of the salt and the id, hexadecimal", True),
        Column("forgotten_at", "timestamptz", "When it was forgotten", True),
    ),
)
SALT = Table(
    PERSONAL_SCHEMA,
    "salt",
    "The one row is the random salt of this database's digests",
    ("salt",),
    (Column("salt", "text", "Hexadecimal", True),),
)


def ensure_personal(postgres: PostgresResource) -> None:
    """Create the schema, closed to all but its owner and the members of `ris_personal_reader`."""
    postgres.ensure_tables([DETAILS, FORGOTTEN, SALT])
    with postgres.connect() as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('ris.ensure_personal'))")
        connection.execute(
            f"insert into {SALT.qualified} select replace(gen_random_uuid()::text"
            f" || gen_random_uuid()::text, '-', '') where not exists (select from {SALT.qualified})"
        )
        connection.execute(f"revoke all on schema {PERSONAL_SCHEMA} from public")
        connection.execute(f"revoke all on all tables in schema {PERSONAL_SCHEMA} from public")
        _grant_reading(connection)


def _grant_reading(connection: psycopg.Connection) -> None:
    """Let `ris_personal_reader` read the details, if it is there or may be created."""
    try:
        with connection.transaction():
            known = "select 1 from pg_roles where rolname = %s"
            if not connection.execute(known, [READER]).fetchone():
                connection.execute(f"create role {READER} nologin")
            connection.execute(f"grant usage on schema {PERSONAL_SCHEMA} to {READER}")
            connection.execute(f"grant select on {DETAILS.qualified} to {READER}")
    except psycopg.errors.InsufficientPrivilege:
        return  # whoever owns the server grants by hand: docs/personal-data.md


def digest_sql(value: str) -> str:
    """SQL for the digest of an id given as SQL."""
    salted = f"(select salt from {SALT.qualified}) || {value}"
    return f"encode(sha256(convert_to({salted}, 'UTF8')), 'hex')"


def keep_details(connection: psycopg.Connection, details: pl.DataFrame) -> int:
    """Store details (`entity, source_id, field, user_id, value`) in the caller's transaction; rows written."""
    connection.execute(
        "create temp table if not exists read_details"
        " (entity text, source_id text, field text, user_id text, value text) on commit drop"
    )
    connection.execute("truncate read_details")
    copy_frame(connection, "read_details", details)
    return connection.execute(
        f"""insert into {DETAILS.qualified} (entity, source_id, field, user_id, value, known_at)
            select distinct on (entity, source_id, field) entity, source_id, field, user_id, value, now()
            from read_details order by entity, source_id, field
            on conflict (entity, source_id, field)
            do update set user_id = excluded.user_id, value = excluded.value, known_at = excluded.known_at"""
    ).rowcount


def drop_forgotten(connection: psycopg.Connection, table: str, column: str) -> int:
    """Delete the rows of a table whose id is forgotten; costs nothing while nobody is. Rows deleted."""
    if not connection.execute(f"select 1 from {FORGOTTEN.qualified} limit 1").fetchone():
        return 0
    return connection.execute(
        f"delete from {table} t using {FORGOTTEN.qualified} f"
        f" where f.id_digest = {digest_sql('t.' + column)}"
    ).rowcount


def is_forgotten(connection: psycopg.Connection, value: str) -> bool:
    """Whether an id is among those that may not come back."""
    query = f"select 1 from {FORGOTTEN.qualified} where id_digest = {digest_sql('%s::text')}"
    return connection.execute(query, [value]).fetchone() is not None


def remember_forgotten(connection: psycopg.Connection, ids: list[str]) -> None:
    """Keep ids from ever coming back."""
    connection.execute(
        f"insert into {FORGOTTEN.qualified} select {digest_sql('id')}, now()"
        " from unnest(%s::text[]) as given(id) on conflict do nothing",
        [ids],
    )
