"""The bookkeeping tables of the landing schema `ris_raw`: what was read, what was refused, how far it got."""

from ris_assets.contracts.columns import Column, Table
from ris_assets.contracts.entities import RAW_SCHEMA

EXTRACTION_LOG = Table(
    RAW_SCHEMA,
    "extraction_log",
    "One row per extraction of an entity",
    ("entity", "finished_at"),
    (
        Column("entity", "text", "Entity", True),
        Column("from_day", "date", "First studio day of the window; null: not by day"),
        Column("through_day", "date", "Last studio day of the window; null: not by day"),
        Column("rows_read", "int8", "Documents read", True),
        Column("rows_written", "int8", "Rows or versions written", True),
        Column("rows_rejected", "int8", "Rows refused", True),
        Column("is_mapped", "bool", "The source has this entity", True),
        Column("finished_at", "timestamptz", "When the extraction committed", True),
        Column("rows_considered", "int8", "Rows of this window or changed since, fitting or not"),
        Column("rows_deleted", "int8", "Tombstones written"),
        Column("bytes_read", "int8", "BSON read, bytes"),
        Column("seconds", "float8", "How long it took, s"),
        Column("watermark_before", "timestamptz", "Last change seen before"),
        Column("watermark_after", "timestamptz", "Last change seen now"),
        Column("reject_limit", "float8", "Share of refused rows that the map allows"),
        Column("mapped_fields", "text[]", "Fields of the entity that are mapped; null: all"),
        Column("map_fingerprint", "text", "Map of the entity; null: not mapped, or not noted yet"),
        Column("recorded_since", "date", "First day of which all was recorded; null: of every day"),
    ),
)
REJECTS = Table(
    RAW_SCHEMA,
    "rejects",
    "What did not fit: one row per document and field, with the whole document",
    ("entity", "source_id", "field"),
    (
        Column("entity", "text", "Entity", True),
        Column("source_id", "text", "Identity of the document (and array element)", True),
        Column("field", "text", "Field that did not fit", True),
        Column("value", "text", "The value as found"),
        Column("reason", "text", "Why it does not fit", True),
        Column(
            "is_row_kept",
            "bool",
            "The row was kept: with this field null, or as it is where it covers nothing",
            True,
        ),
        Column(
            "document", "json", "The whole document, MongoDB extended JSON, personal details masked"
        ),
        Column("rejected_at", "timestamptz", "When it was refused", True),
        Column("user_id", "text", "Whom it is about, where that could be read"),
        Column("part", "text", "Source of the entity that it came from"),
        Column(
            "is_waiting", "bool", "Its parent is not there yet: tried again at every extraction"
        ),
        Column("map_fingerprint", "text", "Map of the entity that refused it"),
    ),
)
WATERMARKS = Table(
    RAW_SCHEMA,
    "watermarks",
    "One row per source of an entity: how far its extraction has got",
    ("entity", "part"),
    (
        Column("entity", "text", "Entity", True),
        Column("part", "text", "Source of the entity: its collection", True),
        Column("map_fingerprint", "text", "Map of the entity at the time", True),
        Column("changed_until", "timestamptz", "Last change seen; null where the source has none"),
        Column("reconciled_at", "timestamptz", "When everything was last read"),
        Column("updated_at", "timestamptz", "When this row was written", True),
    ),
)
FIELD_PROFILE = Table(
    RAW_SCHEMA,
    "field_profile",
    "One row per field path of a mapped source: what it looked like when last extracted",
    ("entity", "part", "path"),
    (
        Column("entity", "text", "Entity", True),
        Column("part", "text", "Source of the entity: its collection", True),
        Column("path", "text", "Path in the document", True),
        Column("types", "text[]", "BSON types seen so far", True),
        Column("fill_share", "float8", "Share of sampled documents with a value", True),
        Column("documents", "int8", "Documents sampled", True),
        Column("status", "text", "Against the extraction before", True,
               ("same", "new", "vanished", "retyped")),
        Column("change", "text", "What is different, in words"),
        Column("first_seen_at", "timestamptz", "When the path was first seen", True),
        Column("last_seen_at", "timestamptz", "When it was last looked for", True),
    ),
)  # fmt: skip
HOLIDAYS = Table(
    RAW_SCHEMA,
    "holidays",
    "Public holidays of the studio's country",
    ("calendar_date",),
    (
        Column("calendar_date", "date", "The day", True),
        Column("name", "text", "Name of the holiday", True),
    ),
)
BOOKKEEPING_TABLES = (EXTRACTION_LOG, REJECTS, WATERMARKS, FIELD_PROFILE, HOLIDAYS)
