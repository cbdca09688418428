"""Personal details taken out of a document that is kept for another reason."""

from collections.abc import Iterable
from typing import Any

from ris_assets.extract.plan import path_parts

MASK = "<personal>"


def redacted(document: Any, paths: Iterable[str]) -> Any:
    """The document with what lies at the paths masked, in every element of arrays on the way.

    What stands where a document should be on the way is masked, too: it may be the detail in an older form.
    """
    return masked(document, map(path_parts, paths))


def masked(value: Any, ways: Iterable[tuple[str, ...]]) -> Any:
    """A value with what lies at the ways within it masked, as in `redacted`."""
    for way in ways:
        value = _masked(value, way)
    return value


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether what lies at one path holds what lies at the other, or is held by it."""
    return way_below(one, other) is not None


def way_below(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    """What is left of the other path from what lies at one on: empty if that lies within, None if elsewhere.

    A place in an array may be left out: a path without it means every element.
    """
    if not one or not other:
        return other
    if one[0] == other[0]:
        return way_below(one[1:], other[1:])
    if one[0].isdigit() != other[0].isdigit():
        return way_below(one[1:], other) if one[0].isdigit() else way_below(one, other[1:])
    return None


def _masked(value: Any, way: tuple[str, ...]) -> Any:
    if not way:
        return value if value is None else MASK
    if isinstance(value, list):
        if way[0].isdigit():
            return [_masked(e, way[1:]) if i == int(way[0]) else e for i, e in enumerate(value)]
        return [_masked(element, way) for element in value]
    if isinstance(value, dict) and way[0] in value:
        return {**value, way[0]: _masked(value[way[0]], way[1:])}
    return value if value is None or isinstance(value, dict) else MASK
