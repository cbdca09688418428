"""Files of the demo studio: a directory in `mongodump` format, the truth beside it, a summary.

Everything goes to a temporary folder next to the target, which takes the target's place only when
complete: nobody ever reads half a studio.
"""

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ris_assets.errors import RisError
from ris_assets.studio.arrays import Bytes
from ris_assets.studio.config import DATABASE

TRUTH_SCHEMA = pa.schema([
    ("hp_id", pa.string()),
    ("user_id", pa.string()),
    ("as_of_date", pa.date32()),
    ("p_renew_30d", pa.float64()),
    ("p_renew_60d", pa.float64()),
    ("p_renew_90d", pa.float64()),
])  # fmt: skip
_NAMESPACE = uuid.UUID("6f6e1c3a-2f0e-4b52-9c0b-7d1b5a3c9e10")


class StudioWriter:
    """Appends documents and truth rows to the files of one studio."""

    def __init__(self, folder: Path) -> None:
        """Start an empty studio in an existing folder."""
        self._folder = folder
        self._dump = folder / "dump" / DATABASE
        self._dump.mkdir(parents=True)
        self._truth = pq.ParquetWriter(folder / "truth.parquet", TRUTH_SCHEMA)
        self.documents: dict[str, int] = {}
        self.truth_rows = 0

    def append(self, collection: str, body: Bytes, count: int) -> None:
        """Append encoded documents to a collection."""
        if collection not in self.documents:
            self._describe(collection)
        self.documents[collection] = self.documents.get(collection, 0) + count
        with (self._dump / f"{collection}.bson").open("ab") as file:
            file.write(body.data)

    def append_truth(self, columns: dict[str, Any]) -> None:
        """Append rows to the truth."""
        table = pa.table(columns, schema=TRUTH_SCHEMA)
        self._truth.write_table(table)
        self.truth_rows += table.num_rows

    def close(self, summary: dict[str, Any]) -> None:
        """Finish the truth and write `studio.json`."""
        self._truth.close()
        text = json.dumps(summary, indent=2) + "\n"
        (self._folder / "studio.json").write_text(text, encoding="utf-8")

    def _describe(self, collection: str) -> None:
        metadata = {
            "options": {},
            "indexes": [{"v": 2, "key": {"_id": 1}, "name": "_id_"}],
            "uuid": uuid.uuid5(_NAMESPACE, collection).hex,
            "collectionName": collection,
            "type": "collection",
        }
        path = self._dump / f"{collection}.metadata.json"
        path.write_text(json.dumps(metadata), encoding="utf-8")


@contextmanager
def in_place_when_complete(out: Path) -> Iterator[Path]:
    """A temporary folder that becomes `out` when the block ends well and vanishes otherwise."""
    out = out.absolute()
    if out.exists() and not _is_replaceable(out):
        raise RisError(
            f"The demo studio cannot be written to {out}: the folder holds something else. "
            "Give an empty or a new folder."
        )
    fresh = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        if out.exists():
            shutil.rmtree(out)
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _is_replaceable(out: Path) -> bool:
    """An empty folder, or an earlier demo studio."""
    return out.is_dir() and ((out / "studio.json").is_file() or not any(out.iterdir()))
