"""The columnar BSON encoder, held against the `bson` package."""

from datetime import UTC, datetime

import bson
import numpy as np
import pytest

from ris_assets.studio import bson_columns as columns

COUNT = 3
SECOND = np.array([False, True, False])
IDS = np.arange(36, dtype=np.uint8).reshape(3, 12)


def decoded(field: columns.Column) -> list[dict]:
    return bson.decode_all(columns.encode({"before": columns.ints(np.zeros(3, int)), "x": field}))


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (columns.ids(IDS), [bson.ObjectId(bytes(row)) for row in IDS]),
        (columns.ints(np.array([1, -2, 2**31 - 1])), [1, -2, 2**31 - 1]),
        (columns.doubles(np.array([0.5, -1.0, 1e300])), [0.5, -1.0, 1e300]),
        (columns.flags(SECOND), [False, True, False]),
        (columns.numbers(np.array([2.0, 2.5, -3.0])), [2, 2.5, -3]),
        (columns.words(np.array([1, 0, 1]), ("a", "Алматы")), ["Алматы", "a", "Алматы"]),
        (columns.texts(np.array([b"2001-02-03"] * 3)), ["2001-02-03"] * 3),
        (
            columns.instants(np.array([0, 1_700_000_000_123, -1])),
            [datetime.fromtimestamp(0, UTC).replace(tzinfo=None),
             datetime(2023, 11, 14, 22, 13, 20, 123_000),
             datetime(1969, 12, 31, 23, 59, 59, 999_000)],
        ),
        (columns.array([columns.ints(np.arange(3)), columns.ints(np.arange(3)).where(SECOND)]),
         [[0], [1, 1], [2]]),
        (columns.array([columns.ints(np.arange(3)).where(~SECOND)]), [[0], [], [2]]),
    ],
)  # fmt: skip
def test_values_read_back_as_they_were_given(field: columns.Column, expected: list) -> None:
    assert [document["x"] for document in decoded(field)] == expected


def test_missing_and_null_are_told_apart() -> None:
    field = columns.ints(np.arange(COUNT)).where(np.array([True, True, False]), SECOND)
    assert [document.get("x", "missing") for document in decoded(field)] == [0, None, "missing"]


def test_a_missing_document_takes_its_fields_with_it() -> None:
    inner = columns.document({"n": columns.ints(np.arange(COUNT)), "deep": columns.document(
        {"w": columns.constant("w", COUNT)})}).where(SECOND)  # fmt: skip
    assert [document.get("x") for document in decoded(inner)] == [
        None, {"n": 1, "deep": {"w": "w"}}, None,
    ]  # fmt: skip


def test_whole_numbers_are_ints_and_others_doubles() -> None:
    assert [type(document["x"]) for document in decoded(columns.numbers(np.array([2.0, 2.5, 0])))
            ] == [int, float, int]  # fmt: skip


def test_no_documents_are_no_bytes() -> None:
    assert columns.encode({"x": columns.ints(np.zeros(0, int))}).size == 0
