"""What is measured: each side runs in a process of its own and prints its seconds, documents and peak memory.

python -m benchmarks.sides SIDE '{"database": "postgresql://...", "source": "file:..."}'
"""

import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

FIELDS = {
    "_id": "id", "userId": "id", "clubId": "id", "classType": "text", "coachId": "id", "bookedAt": "at",
    "startsAt": "at", "status": "text", "cancelledAt": "at", "stationsDone": "int",
    "stationsPlanned": "int", "updatedAt": "at",
}  # fmt: skip
"""The columns that the source map of the demo takes from a booking."""


def ris(options: dict[str, Any]) -> int:
    """RIS's whole extraction: read, map, validate, version, load."""
    from ris_assets.contracts.entities import ENTITIES
    from ris_assets.ingest.entity import Ingestion, ingest
    from ris_assets.ingest.map_in_use import DEMO_SOURCE_MAP, source_map_at
    from ris_assets.resources.mongo import MongoResource
    from ris_assets.resources.postgres import PostgresResource

    job = Ingestion(
        ENTITIES["bookings"],
        source_map_at(DEMO_SOURCE_MAP),
        MongoResource(url=options["source"]).open,
        PostgresResource(url=options["database"]),
        ZoneInfo("Asia/Almaty"),
    )
    counts = ingest(job)
    assert counts is not None
    return counts.read


def night(options: dict[str, Any]) -> int:
    """A night's increment, in the process that has done the full load before."""
    full = {**options, "source": options["full"]}
    started = time.perf_counter()
    ris(full)
    options["full_seconds"] = time.perf_counter() - started
    _let_the_database_rest(options["database"])
    started = time.perf_counter()
    count = ris(options)
    options["night_seconds"] = time.perf_counter() - started
    return count


def _let_the_database_rest(url: str) -> None:
    """What PostgreSQL does by itself between a load and the next night."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze) ris_raw.bookings")
        connection.execute("checkpoint")


def _schema() -> Any:
    from pymongoarrow.schema import Schema
    from pymongoarrow.types import ObjectIdType

    kinds = {
        "id": ObjectIdType(), "text": pa.string(), "at": pa.timestamp("ms", tz="UTC"), "int": pa.int32(),
    }  # fmt: skip
    return Schema({name: kinds[kind] for name, kind in FIELDS.items()})


def bare(options: dict[str, Any]) -> int:
    """Decode to Arrow and ingest by ADBC, nothing else: ids stay twelve bytes, the table has no key."""
    import adbc_driver_postgresql.dbapi as adbc
    from bson.codec_options import CodecOptions
    from pymongoarrow.context import PyMongoArrowContext

    from ris_assets.resources.mongo import MongoResource

    schema, count = _schema(), 0
    with (
        MongoResource(url=options["source"]).open() as source,
        adbc.connect(options["database"]) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("drop table if exists bare")
        for raw in source.batches("bookings", {}):
            context = PyMongoArrowContext(schema, codec_options=CodecOptions(tz_aware=True))
            context.process_bson_stream(raw)
            table = _plain(context.finish())
            cursor.adbc_ingest("bare", table, mode="append" if count else "create")
            count += table.num_rows
        connection.commit()
    return count


def _plain(table: pa.Table) -> pa.Table:
    columns = [
        c.cast(pa.binary(12)) if isinstance(c.type, pa.BaseExtensionType) else c
        for c in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def find_polars_all(options: dict[str, Any]) -> int:
    """Decode from a server into one polars frame, nothing else."""
    import pymongo
    from pymongoarrow.api import find_polars_all as find

    with pymongo.MongoClient(options["source"]) as client:
        return find(client.get_default_database()["bookings"], {}, schema=_schema()).height


def dlt(options: dict[str, Any]) -> int:
    """dlt from a server into PostgreSQL, as its documentation does it."""
    import os
    import tempfile

    os.environ |= {"DLT_TELEMETRY": "false", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    import dlt as library
    import pymongo

    count = 0

    @library.resource(name="bookings", primary_key="_id", write_disposition="merge")
    def bookings():  # type: ignore[no-untyped-def]
        nonlocal count
        with pymongo.MongoClient(options["source"]) as client:
            for document in (
                client.get_default_database()["bookings"].find().limit(options["limit"])
            ):
                count += 1
                yield _texts(document)

    with tempfile.TemporaryDirectory() as folder:
        destination = library.destinations.postgres(credentials=options["database"])
        pipeline = library.pipeline(
            "bookings", destination=destination, dataset_name="dlt_side", pipelines_dir=folder
        )
        pipeline.run(bookings())
    return count


def _texts(value: Any) -> Any:
    """ObjectIds as text, at any depth: dlt knows none."""
    if isinstance(value, dict):
        return {key: _texts(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_texts(below) for below in value]
    return str(value) if type(value).__name__ == "ObjectId" else value


SIDES: dict[str, Callable[[dict[str, Any]], int]] = {
    "ris": ris, "night": night, "bare": bare, "find_polars_all": find_polars_all, "dlt": dlt,
}  # fmt: skip


def main() -> None:
    """Run one side; imports are not measured."""
    warnings.simplefilter("ignore")
    side, options = SIDES[sys.argv[1]], json.loads(sys.argv[2])
    _warm(sys.argv[1])
    started = time.perf_counter()
    documents = side(options)
    seconds = time.perf_counter() - started
    found = {"seconds": seconds, "documents": documents, "peak_mib": _peak_mib()}
    print(json.dumps(found | {k: v for k, v in options.items() if k.endswith("_seconds")}))


def _peak_mib() -> float:
    """Highest resident memory since this program was started; what getrusage says includes the parent's."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _warm(side: str) -> None:
    """Import what the side needs, as a server that has been running would have."""
    arrow = ["adbc_driver_postgresql.dbapi", "pymongo", "pymongoarrow.api", "polars"]
    needed = {"ris": ["ris_assets.ingest.entity", "pgpq", *arrow], "dlt": ["dlt"]}
    for name in needed.get("ris" if side == "night" else side, arrow):
        importlib.import_module(name)


if __name__ == "__main__":
    main()
