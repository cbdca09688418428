"""Single values: their BSON type's name, how they are shown, and whether they are somebody's own.

What an example may show of a person is decided here and nowhere else.
"""

import math
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from ris_assets.extract.profiling.words import words_of

LONGEST_EXAMPLE = 40
_TYPES: dict[type, str] = {
    str: "string", ObjectId: "objectId", datetime: "date", DatetimeMS: "date", bool: "bool", int: "int",
    Int64: "long", float: "double", dict: "object", list: "array", bytes: "binData", Binary: "binData",
    type(None): "null", Decimal128: "decimal", Timestamp: "timestamp", UUID: "uuid", Regex: "regex",
    re.Pattern: "regex", DBRef: "dbRef", Code: "javascript", MinKey: "minKey", MaxKey: "maxKey",
}  # fmt: skip
_UUIDS = {3: "uuid (legacy)", 4: "uuid"}
ID_TYPES = frozenset({"objectId", "uuid", "uuid (legacy)", "dbRef"})
NUMBER_TYPES = frozenset({"int", "long", "double", "decimal"})
DATE_TYPES = frozenset({"date", "timestamp"})

EMAIL = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\".]{2,}")
_PHONE = re.compile(r"(?<![\w.])\+?\d[\d\s()\-]{8,18}\d(?!\w)")
_MOBILE = re.compile(r"(?<!\d)(?:\+\d{9,15}|[78][479]\d{9})(?!\d)")
_IIN = re.compile(r"(?<!\d)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{6}(?!\d)")
_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){15}\d(?!\d)")
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*|\$2[aby]\$\d\d\$\S+|(?<!\d)\d{6,12}:[\w-]{30,}")
_DATE_LIKE = re.compile(r"^\d{4}-\d\d(-\d\d)?([T ]\d\d:\d\d.*)?$|^\d\d?[.\-/]\d\d?[.\-/]\d{4}")
ISO = re.compile(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?)?$")
_PERSONAL: dict[str, frozenset[str]] = {
    "e-mail": frozenset({"email", "mail", "pochta"}),
    "phone": frozenset({"phone", "whatsapp", "viber"}),
    "name": frozenset({"fio", "surname", "firstname", "patronymic", "nick", "login"}),
    "iin": frozenset({"iin", "passport"}),
    "address": frozenset({"address", "street", "geo", "ip"}),
    "chat": frozenset({"telegram", "chat", "instagram", "vk", "push"}),
    "secret": frozenset({"password", "token", "secret", "otp", "cookie", "card"}),
}
_THINGS = frozenset(
    {
        "product", "club", "class", "station", "event", "city", "kind", "file", "plan", "clan", "bank",
        "price", "payment", "pass", "assess", "device", "feature", "screen", "page", "campaign", "role",
        "permission", "group", "room", "company", "country", "exercise", "category", "tag", "service",
        "status", "method", "host", "app", "program", "achievement", "goal", "metric", "template",
    }
)  # fmt: skip
"""What may be called `name` without being anybody's."""


def type_name(value: Any) -> str:
    """The BSON type as MongoDB's `$type` calls it; `uuid` and `dbRef` are told apart."""
    if isinstance(value, Binary) and value.subtype in _UUIDS:
        return _UUIDS[value.subtype]
    return _TYPES.get(type(value)) or next(
        (name for kind, name in _TYPES.items() if isinstance(value, kind)), type(value).__name__
    )


def as_number(value: Any) -> int | float | None:
    """The value as a finite number, None where it is none."""
    if isinstance(value, Decimal128):
        value = float(value.to_decimal()) if "N" not in str(value).upper() else math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return (int(value) if isinstance(value, int) else value) if math.isfinite(value) else None


def as_milliseconds(value: Any) -> int | None:
    """A date's milliseconds since 1970, None where it is none."""
    if isinstance(value, Timestamp):
        return value.time * 1000
    if isinstance(value, DatetimeMS):
        return int(value)
    if isinstance(value, datetime):
        whole = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(DatetimeMS(whole))
    return None


def instant_text(milliseconds: int) -> str:
    """An instant in ISO format, or its milliseconds where no calendar reaches."""
    try:
        text = datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat()
        return text.replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms since 1970"


def is_date_like(text: str) -> bool:
    """Whether a text looks like a date in ISO format or in numbers parted by points, dashes or slashes."""
    return _DATE_LIKE.match(text) is not None


def text_kind(text: str) -> str | None:
    """What a text is by its looks: `iso` (a date), `e-mail`, `phone`, `iin`, `card` or `secret`."""
    if ISO.match(text):
        return "iso"
    masked = mask_text(text)
    if masked.startswith("<") and masked.endswith(">") and masked.count("<") == 1:
        return masked[1:-1]
    return None


def mask_text(text: str) -> str:
    """The text with everything that looks like somebody's own replaced by its kind."""
    text = EMAIL.sub("<e-mail>", _TOKEN.sub("<secret>", text))
    if _DATE_LIKE.match(text):
        return text
    text = _IIN.sub("<iin>", _MOBILE.sub("<phone>", _CARD.sub("<card>", text)))
    return _PHONE.sub(_mask_phone, text)


def _mask_phone(found: re.Match[str]) -> str:
    """Ten to fifteen digits, written as people write phones: with a plus or in groups."""
    text = found.group()
    digits = sum(c.isdigit() for c in text)
    is_written = text.startswith("+") or any(c in " ()-" for c in text)
    return "<phone>" if 10 <= digits <= 15 and is_written else text


def personal_kind(collection: str, keys: tuple[str, ...]) -> str | None:
    """What personal detail a field holds, judged by its name; None if it seems to hold none."""
    own = set(words_of(keys[-1])) if keys else set()
    kind = next((kind for kind, words in _PERSONAL.items() if own & words), None)
    if kind or "name" not in own:
        return kind
    around = set(words_of(keys[-2] if len(keys) > 1 else collection)) | own
    return None if around & _THINGS else "name"


def shown(value: Any) -> str:
    """A value as an example: masked by its looks and cut."""
    if isinstance(value, str):
        text = mask_text(value)
    elif (ms := as_milliseconds(value)) is not None:
        return instant_text(ms)
    elif isinstance(value, Binary) and value.subtype in _UUIDS:
        text = str(value.as_uuid(value.subtype)) if len(value) == 16 else f"{len(value)} bytes"
    elif isinstance(value, bytes):
        text = f"{len(value)} bytes"
    elif isinstance(value, DBRef):
        text = f"{value.collection}:{value.id}"
    else:
        text = mask_text(str(value))
    return text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1] + "…"


def id_text(value: Any) -> str | None:
    """An id as text, the same for the ways of writing it; None if it is no id."""
    if isinstance(value, DBRef):
        return id_text(value.id)
    if isinstance(value, Binary):
        return value.hex() if len(value) == 16 else None
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() else None
    if isinstance(value, str):
        is_uuid = len(value) == 36 and value.count("-") == 4
        return (value.replace("-", "").lower() if is_uuid else value) or None
    return str(value) if isinstance(value, (int, ObjectId)) else None
