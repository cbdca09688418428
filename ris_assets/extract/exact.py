"""The exact way: document by document, converting what converts and naming what does not.

Slower than Arrow by an order of magnitude, so it runs only for the documents that need it.
"""

import base64
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import bson
import polars as pl
from bson import json_util
from bson.binary import Binary, UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.errors import InvalidBSON
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from ris_assets.extract.dump import document_offsets
from ris_assets.extract.plan import (
    EPOCHS,
    FIRST_INSTANT,
    ID,
    LAST_INSTANT,
    DecimalMark,
    Decoded,
    Kind,
    Misfit,
    Reading,
    ReadingPlan,
    UuidOrder,
    is_pattern,
    path_parts,
)

EXACT_LIMIT = 2**53
"""From here on a double no longer holds every whole number."""
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
_UUIDS: dict[UuidOrder, int] = {
    "standard": UuidRepresentation.PYTHON_LEGACY,
    "java": UuidRepresentation.JAVA_LEGACY,
    "csharp": UuidRepresentation.CSHARP_LEGACY,
}
_CANONICAL = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    tz_aware=True,
    tzinfo=UTC,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
_RELAXED = json_util.RELAXED_JSON_OPTIONS
_NUMBER_TEXT = re.compile(r"[+-]?\d+(?:\.\d+)?")
_MARKED_NUMBERS = {
    mark: re.compile(rf"[+-]?(?:\d+|\d{{1,3}}(?:[{between}\s'’]\d{{3}})+)(?:{re.escape(mark)}\d+)?")
    for mark, between in ((",", "."), (".", ","))
}
_CURRENCY = r"(?:[A-Z]{3}|[A-Z]{0,2}[$£¥\u20a0-\u20cf]|(?:kr|zł|Kč|Ft|Rs|lei|руб|р|тг)\.?)"
"""A code of ISO 4217, a sign, or what people write for one; other words may be units or thousands."""
_PRICE_TEXT = re.compile(rf"([+-]?)\s*{_CURRENCY}?\s*(.*?)\s*{_CURRENCY}?")
_ISO_TEXT = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?\s?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 500
_MAY_BE_EXPLODED = "an array lies on the way: explode it or give an index"
_ONE_EXPLODED = "another array lies on the way, and only one can be exploded: give an index of it"
_WORDS: frozenset[Kind] = frozenset({"id", "text", "text[]", "jsonb"})
"""Kinds to which a blank text is a text; to the others it is no value, as exports of tables write it."""
_NO_VALUE = frozenset(
    {"", "-", "--", "–", "—", "n/a", "na", "nan", "nat", "nil", "none", "null", "undefined",
     "0000-00-00", "0000-00-00 00:00:00"}
)  # fmt: skip
"""What sources write for none where a number, a time or a flag is to stand."""
_NAMES = {
    dict: "document", list: "array", str: "text", bool: "true or false", int: "number",
    float: "number", bson.Int64: "number", Decimal128: "number", datetime: "date", DatetimeMS: "date",
    Binary: "binary", bytes: "binary", ObjectId: "ObjectId", UUID: "UUID", Timestamp: "timestamp",
    Regex: "regular expression", Code: "code", DBRef: "reference", MinKey: "MinKey", MaxKey: "MaxKey",
}  # fmt: skip


class _MisfitError(ValueError):
    """A value that does not convert; the text says why."""


class _ObstacleError(_MisfitError):
    """Something that has no keys lies on the way, so many keys before its end."""

    def __init__(self, reason: str, value: Any, keys_left: int) -> None:
        super().__init__(reason)
        self.value, self.keys_left = value, keys_left


def document_of(raw: bytes) -> dict[str, Any]:
    """Decode one document; dates beyond Python's range stay as milliseconds.

    Raises:
        InvalidBSON: it is broken inside.
    """
    try:
        return bson.decode(raw, CODEC)
    except InvalidBSON:
        raise
    except Exception as error:  # what a broken subtype makes the decoder raise varies
        raise InvalidBSON(str(error)) from error


def documents_of(raw: bytes) -> list[dict[str, Any]]:
    """Decode documents that lie back to back; one that is broken inside is an empty one."""
    return [document or {} for document, _ in _decoded(raw)]


def _decoded(raw: bytes) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Each document, or None and what is wrong with it."""
    try:
        whole = bson.decode_all(raw, CODEC)
    except Exception:  # one of them is broken: find out which
        offsets = document_offsets(raw)
        for start, end in itertools.pairwise(offsets):
            try:
                yield document_of(raw[start:end]), ""
            except InvalidBSON as error:
                yield None, f"broken BSON: {error}"
        return
    for document in whole:
        yield document, ""


def as_json(document: Any) -> str:
    """A value as canonical MongoDB extended JSON that PostgreSQL accepts: NUL becomes its symbol."""
    return _without_nul(json_util.dumps(document, json_options=_CANONICAL))


def document_json(raw: bytes) -> str:
    """A document as extended JSON whatever it holds; a broken one as the base64 of its bytes."""
    try:
        return as_json(document_of(raw))
    except Exception:  # nothing that is refused may get lost
        return f'{{"$brokenBson": "{base64.b64encode(raw).decode()}"}}'


def raw_of_json(text: str) -> bytes:
    """The inverse of `document_json`."""
    found = json_util.loads(text, json_options=_CANONICAL)
    if set(found) == {"$brokenBson"}:
        return base64.b64decode(found["$brokenBson"])
    return bson.encode(found, codec_options=CODEC)


def _without_nul(text: str) -> str:
    r"""JSON without \u0000, which PostgreSQL refuses; an escaped backslash before u0000 is left alone."""
    if "\\u0000" not in text:
        return text
    return re.sub(
        r"((?:^|[^\\])(?:\\\\)*)\\u0000",
        "\\1\u2400",
        re.sub(r"(\\u0000)(?=\\u0000)", "\u2400", text),
    )


def decode_exactly(raw: bytes, plan: ReadingPlan) -> Decoded:
    """Decode a batch value by value; a value that does not convert is null and a `Misfit`."""
    rows: list[tuple[Any, ...]] = []
    misfits: list[Misfit] = []
    ways = [_way(reading, plan) for reading in plan.readings]
    number = -1
    for number, (document, problem) in enumerate(_decoded(raw)):
        if document is None:
            misfits.append(Misfit(number, 0 if plan.explode else None, ID, "", problem))
            head = (number, 0) if plan.explode else (number,)
            rows.append(head + (None,) * len(ways))
            continue
        for element, part, trouble in _elements(document, plan.explode):
            values = []
            for reading, way, is_inside in ways:
                start = part if is_inside else document
                value, wrong, left = _read(start, reading, way, plan)
                if is_inside and trouble:
                    value, wrong, trouble = None, trouble, ""
                if wrong:
                    keys = path_parts(reading.path)
                    found_at, shown = keys[: len(keys) - left], _shown(value)
                    misfits.append(Misfit(number, element, reading.name, shown, wrong, found_at))
                    value = None
                values.append(value)
            rows.append(((number, element) if plan.explode else (number,)) + tuple(values))
    frame = pl.DataFrame(rows, schema=plan.frame_schema, orient="row")
    return Decoded(frame, misfits, number + 1)


def _way(reading: Reading, plan: ReadingPlan) -> tuple[Reading, tuple[str, ...], bool]:
    """A reading, its keys, and whether they begin at the array element."""
    inner = plan.inside(reading.path)
    if plan.explode is not None and path_parts(reading.path) == path_parts(plan.explode):
        return reading, (), True
    return reading, path_parts(reading.path) if inner is None else inner, inner is not None


def _read(
    start: Any, reading: Reading, way: tuple[str, ...], plan: ReadingPlan
) -> tuple[Any, str, int]:
    """A converted value and "", or the value as found, why it does not convert, and how many keys before the end
    of the way it was found."""
    value: Any = None
    try:
        value = _value_at(start, way, plan.explode is not None)
        if reading.kind not in _WORDS and says_nothing(value, reading):
            value = None
        if value is None:
            return None, "", 0
        return _CONVERTERS[reading.kind](value, reading, plan.uuid_order), "", 0
    except _ObstacleError as obstacle:
        return obstacle.value, str(obstacle), obstacle.keys_left
    except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
        return value, str(error) or type(error).__name__, 0


def says_nothing(value: Any, reading: Reading) -> bool:
    """Whether a value stands for none where no word can stand: a blank, N/A, or second 0 of 1970."""
    if isinstance(value, str):
        return value.strip().lower() in _NO_VALUE
    is_epoch = reading.kind == "timestamptz" and reading.time in EPOCHS
    return is_epoch and isinstance(value, (int, float)) and value is not False and value == 0


def _shown(value: Any) -> str:
    try:
        return as_json(value)[:_SHOWN]
    except Exception:  # what cannot be shown is still refused
        return repr(value)[:_SHOWN].replace("\x00", "\u2400")


def _value_at(document: Any, way: tuple[str, ...], is_exploding: bool) -> Any:
    """The value at the end of the keys, None where any of them is missing."""
    for place, part in enumerate(way):
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, DBRef):
            document = document.as_doc().get(part)
        elif isinstance(document, list):
            if not part.isdigit():
                told = _ONE_EXPLODED if is_exploding else _MAY_BE_EXPLODED
                raise _ObstacleError(told, document, len(way) - place)
            document = document[int(part)] if int(part) < len(document) else None
        elif document is None:
            return None
        else:
            reason = f"{_named(document)} lies on the way to {'.'.join(way[place:])}"
            raise _ObstacleError(reason, document, len(way) - place)
    return document


def _elements(
    document: dict[str, Any], explode: str | None
) -> Iterator[tuple[int | None, Any, str]]:
    """Rows of a document: element number, the element, and what is wrong with it."""
    if explode is None:
        yield None, document, ""
        return
    try:
        array = _value_at(document, path_parts(explode), True)
    except _MisfitError as error:
        yield 0, None, str(error)
        return
    if isinstance(array, dict):
        array = [array]
    if array is not None and not isinstance(array, list):
        yield 0, None, f"{explode} is {_named(array)}, not an array"
        return
    for number, element in enumerate(array or []):
        if element is not None:
            yield number, element, ""


def _named(value: Any) -> str:
    name = _NAMES.get(type(value), type(value).__name__)
    return name if name == "true or false" else f"{'an' if name[0] in 'aO' else 'a'} {name}"


def id_text(value: Any, order: UuidOrder = "standard") -> str:
    """The canonical text of a value of any type that can identify something.

    Raises:
        ValueError: it cannot.
    """
    if isinstance(value, DBRef):
        return id_text(value.id, order)
    if isinstance(value, (dict, Regex, re.Pattern)):
        return _composed_text(value)
    if isinstance(value, (datetime, DatetimeMS)):
        return _instant_text(value)
    if isinstance(value, Timestamp):
        return f"{_instant_text(_EPOCH + timedelta(seconds=value.time))}:{value.inc}"
    if isinstance(value, bytes):
        return _binary_text(value, order)
    return _plain_text(value, "an id")


def _composed_text(value: Any) -> str:
    if isinstance(value, dict):
        text = json_util.dumps(value, json_options=_CANONICAL, separators=(",", ":"))
        return _without_nul(text)
    pattern = Regex.from_native(value) if isinstance(value, re.Pattern) else value
    flags = "".join(
        letter
        for letter, flag in zip("ilmsux", (2, 4, 8, 16, 32, 64), strict=True)
        if pattern.flags & flag
    )
    return f"/{pattern.pattern}/{flags}".replace("\x00", "")


def _instant_text(value: datetime | DatetimeMS) -> str:
    if isinstance(value, DatetimeMS):
        return f"{int(value)} ms"
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _binary_text(value: bytes, order: UuidOrder) -> str:
    subtype = value.subtype if isinstance(value, Binary) else 0
    if len(value) == 16 and subtype == 4:
        return str(UUID(bytes=bytes(value)))
    if len(value) == 16 and subtype == 3:
        return str(Binary(bytes(value), 3).as_uuid(_UUIDS[order]))
    return value.hex()


def _plain_text(value: Any, wanted: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, ObjectId, UUID, int)):
        return str(value).replace("\x00", "")
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, Decimal128) and value.to_decimal().is_finite():
        number = value.to_decimal()
        is_whole = number == number.to_integral_value() and abs(number) < Decimal("1e40")
        return str(int(number)) if is_whole else str(value)
    raise _MisfitError(f"{_named(value)} is not {wanted}")


def _id(value: Any, _reading: Reading, order: UuidOrder) -> str:
    return id_text(value, order)


def _text(value: Any, _reading: Reading, order: UuidOrder) -> str:
    if isinstance(value, Binary) and value.subtype in (3, 4) and len(value) == 16:
        return _binary_text(value, order)
    return _plain_text(value, "a text")


def _texts(value: Any, _reading: Reading, order: UuidOrder) -> list[str]:
    if not isinstance(value, list):
        raise _MisfitError(f"{_named(value)} is not an array")
    return [id_text(element, order) for element in value if element is not None]


def _unmarked(text: str, mark: DecimalMark) -> str:
    """A number in a text with the source's own marks, and perhaps a currency's, as Python writes it."""
    price = _PRICE_TEXT.fullmatch(text.strip())
    text = "".join(price.groups()) if price else text
    if not _MARKED_NUMBERS[mark].fullmatch(text):
        raise _MisfitError("a text is not a number")
    whole, _, decimals = text.partition(mark)
    return re.sub(r"[^\d+-]", "", whole) + (f".{decimals}" if decimals else "")


def _number(value: Any, reading: Reading, _order: UuidOrder) -> float:
    if isinstance(value, str) and reading.decimal:
        value = _unmarked(value, reading.decimal)
    if isinstance(value, str) and _NUMBER_TEXT.fullmatch(value):
        value = Decimal128(value)
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        is_marked = isinstance(value, str) and any(c.isdigit() for c in value)
        may_be_told = is_marked and reading.kind == "float8" and not reading.decimal
        hint = ": `decimal` reads marks and currencies" if may_be_told else ""
        raise _MisfitError(f"{_named(value)} is not a number{hint}")
    number = float(value)
    if not math.isfinite(number):
        raise _MisfitError("not a finite number")
    if abs(number) >= EXACT_LIMIT and not isinstance(value, float) and Decimal(number) != value:
        raise _MisfitError("too large to be held exactly")
    return number


def _bool(value: Any, _reading: Reading, _order: UuidOrder) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, (bool, int, float, Decimal)) and value in (0, 1):
        return bool(value)
    raise _MisfitError(f"{_named(value)} is not true or false")


def _instant(value: Any, reading: Reading, order: UuidOrder) -> datetime:
    if reading.time in EPOCHS and not isinstance(value, (datetime, DatetimeMS)):
        seconds = _number(value, reading, order) / (1 if reading.time == "epoch_s" else 1000)
        return _in_range(round(seconds * 1000))
    if is_pattern(reading.time) and isinstance(value, (str, int, float, Decimal128)):
        return _patterned(_plain_text(value, "a date"), reading)
    if isinstance(value, str):
        return _written(value, reading)
    if isinstance(value, Timestamp):
        value = _EPOCH + timedelta(seconds=value.time)
    if isinstance(value, DatetimeMS):
        raise _MisfitError("it lies outside the years 1-9999")
    if not isinstance(value, datetime):
        raise _MisfitError(f"{_named(value)} is not a date")
    return _zoned(value, reading) if reading.time == "local" else value.astimezone(UTC)


def literal(value: Any, reading: Reading) -> Any:
    """A value that stands in the source map, read as if it stood in a document.

    Raises:
        ValueError: it does not convert; the text says why.
    """
    if isinstance(value, date):  # YAML's own, a datetime too; without a zone they are the reading's
        value, reading = value.isoformat(), replace(reading, time="iso")
    return _CONVERTERS[reading.kind](value, reading, "standard")


def _in_range(milliseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise _MisfitError("it lies outside the years 1-9999") from None


def _written(text: str, reading: Reading) -> datetime:
    """An instant written in ISO 8601."""
    if not _ISO_TEXT.fullmatch(text.strip()):
        raise _MisfitError("a text is not a date")
    try:
        found = datetime.fromisoformat(text.strip().replace(",", ".").replace(" Z", "Z"))
        return _zoned(found, reading)
    except ValueError:
        raise _MisfitError("a text is not a date") from None


def _patterned(text: str, reading: Reading) -> datetime:
    """An instant written in a pattern of the source's own."""
    try:
        return _zoned(datetime.strptime(text.strip(), reading.time), reading)
    except ValueError:
        raise _MisfitError(f"it is not written as {reading.time}") from None


def _zoned(found: datetime, reading: Reading) -> datetime:
    """Without a zone, or with none to be believed, it is the reading's; a bare date of a date is UTC."""
    if reading.time == "local":
        found = found.replace(tzinfo=None)
    if found.tzinfo is None and reading.kind == "date":
        return datetime(found.year, found.month, found.day, tzinfo=UTC)
    aware = found if found.tzinfo else found.replace(tzinfo=reading.zone)
    try:
        instant = aware.astimezone(UTC)
    except OverflowError:  # the first or the last day there is, as sources write "never"
        return FIRST_INSTANT if aware.year == 1 else LAST_INSTANT
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _json(value: Any, _reading: Reading, _order: UuidOrder) -> str:
    try:
        # Five times as fast, and the same text where no type is MongoDB's own.
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        text = json_util.dumps(value, json_options=_RELAXED)
    return _without_nul(text)


_CONVERTERS: dict[Kind, Callable[[Any, Reading, UuidOrder], Any]] = {
    "id": _id,
    "text": _text,
    "text[]": _texts,
    "float8": _number,
    "int4": _number,
    "int8": _number,
    "bool": _bool,
    "timestamptz": _instant,
    "date": _instant,
    "jsonb": _json,
}
