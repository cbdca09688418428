"""Personal details taken out of a document that is kept for another reason."""

from collections.abc import Iterable
from typing import Any

from ris_assets.extract.plan import path_parts

MASK = "<personal>"


def redacted(document: Any, paths: Iterable[str]) -> Any:
    """The document with what lies at the paths masked, in every element of arrays on the way."""
    for path in paths:
        document = _masked(document, path_parts(path))
    return document


def _masked(value: Any, way: tuple[str, ...]) -> Any:
    if not way:
        return value if value is None else MASK
    if isinstance(value, list):
        if way[0].isdigit():
            return [_masked(e, way[1:]) if i == int(way[0]) else e for i, e in enumerate(value)]
        return [_masked(element, way) for element in value]
    if isinstance(value, dict) and way[0] in value:
        return {**value, way[0]: _masked(value[way[0]], way[1:])}
    return value
