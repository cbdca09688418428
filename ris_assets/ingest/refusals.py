"""Refused rows with the whole document beside them, personal details masked."""

import hashlib
from collections.abc import Sequence

import polars as pl
from bson.errors import InvalidBSON

from ris_assets.extract.dump import document_offsets
from ris_assets.extract.exact import as_json, document_json, documents_of
from ris_assets.extract.plan import ROW
from ris_assets.extract.redact import MASK, redacted

_BROKEN = f'{{"$brokenBson": "{MASK}"}}'


def with_documents(rejects: pl.DataFrame, raw: bytes, personal: Sequence[str]) -> pl.DataFrame:
    """Attach its document to each reject; decodes only what was refused.

    A document without an identity is known by the digest of its bytes.
    """
    offsets = document_offsets(raw)
    rows = rejects[ROW].unique().sort().to_list()
    refused = [raw[offsets[row] : offsets[row + 1]] for row in rows]
    attached = pl.DataFrame(
        {
            ROW: rows,
            "document": [_kept(document, personal) for document in refused],
            "digest": ["~" + hashlib.md5(d, usedforsecurity=False).hexdigest() for d in refused],
        },
        schema_overrides={ROW: pl.Int64},
    )
    return (
        rejects.join(attached, on=ROW, how="left")
        .with_columns(pl.coalesce("source_id", "digest").alias("source_id"))
        .drop(ROW, "digest")
    )


def _kept(document: bytes, personal: Sequence[str]) -> str:
    if not personal:
        return document_json(document)
    try:
        return as_json(redacted(documents_of(document)[0], personal))
    except InvalidBSON:
        return _BROKEN
