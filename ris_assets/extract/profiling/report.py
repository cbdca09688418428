"""A source's profile as JSON and markdown, and everything written to a folder that only its owner reads."""

import json
import os
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from ris_assets.errors import RisError
from ris_assets.extract.profiling.explore import SourceProfile
from ris_assets.extract.profiling.profile import CollectionProfile, FieldProfile, Lengths, Reference

_NOT_WRITTEN = {"ids", "keys"}
_UNITS = ("B", "KB", "MB", "GB", "TB")


def profile_json(profile: SourceProfile) -> str:
    """The whole profile; counts and shares as numbers, types by MongoDB's names."""
    whole = {
        "profiled_at": profile.profiled_at.isoformat(),
        "most_documents": profile.bounds.documents,
        "most_seconds": profile.bounds.seconds,
        "collections": [_collection(one) for one in profile.collections],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1, default=_plain) + "\n"


def profile_markdown(profile: SourceProfile) -> str:
    """The profile as tables: collections, then the fields of each."""
    lines = ["# What is in the source", "", profiled_text(profile), "", *collections_table(profile)]
    for one in profile.collections:
        lines += ["", f"## {_cell(one.name)}", "", *_collection_lines(one)]
    return "\n".join(lines) + "\n"


def collections_table(profile: SourceProfile) -> list[str]:
    """Collections with counts and sizes as a markdown table; nothing of any document."""
    lines = [
        "| collection | documents | size | looked at | paths | indexes |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for one in profile.collections:
        cells = [one.name, count_text(one.documents), size_text(one.size_bytes), f"{one.sampled:,}",
                 f"{len(one.fields) + one.further_paths:,}", ", ".join(one.indexes) or "–"]  # fmt: skip
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return lines


def profiled_text(profile: SourceProfile) -> str:
    """When it was profiled, and how thoroughly."""
    return (
        f"Profiled {profile.profiled_at:%Y-%m-%d %H:%M} UTC, at most {profile.bounds.documents:,} documents"
        f" and {profile.bounds.seconds:g} s a collection. Examples of personal fields are masked."
    )


def count_text(count: int | None) -> str:
    """A number with thousands separators, or a question mark."""
    return "?" if count is None else f"{count:,}"


def size_text(size: int | None) -> str:
    """Bytes in the largest unit that keeps them above one."""
    if size is None:
        return "?"
    amount, unit = float(size), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def range_text(field: FieldProfile) -> str:
    """Least to greatest value, and how long texts and arrays are."""
    parts = []
    if field.minimum is not None:
        parts.append(f"{field.minimum:,} to {field.maximum:,}" if isinstance(field.minimum, (int, float))
                     else f"{field.minimum} to {field.maximum}")  # fmt: skip
    for what, lengths in (("characters", field.text_lengths), ("elements", field.array_lengths)):
        if lengths:
            parts.append(f"{lengths.minimum:,}-{lengths.maximum:,} {what}, mean {lengths.mean:,g}")
    return "; ".join(parts)


def distinct_text(field: FieldProfile) -> str:
    """How many differing values were seen."""
    if not field.distinct:
        return ""
    text = f"{field.distinct:,}" if field.distinct_is_exact else f"~{field.distinct:,}"
    return f"{text}, unique" if field.is_unique else text


def references_text(field: FieldProfile) -> str:
    """What a field refers to, with the share of values found there."""
    return ", ".join(f"{r.collection}.{r.path} {r.share:.0%}" for r in field.references)


def problem_text(one: CollectionProfile) -> str:
    """What could not be looked at; empty if everything could."""
    parts = [one.problem] if one.problem else []
    if one.unreadable:
        parts.append(f"{one.unreadable:,} documents are not valid BSON.")
    if one.further_paths:
        parts.append(f"About {one.further_paths:,} further paths are not listed.")
    return " ".join(parts)


def _collection_lines(one: CollectionProfile) -> list[str]:
    lines = [_cell(problem_text(one)), ""] if problem_text(one) else []
    lines += ["| path | types | fill | null | distinct | range | refers to | examples |",
              "|---|---|--:|--:|--:|---|---|---|"]  # fmt: skip
    for field in one.fields:
        types = ", ".join(f"{name} {share:.0%}" for name, share in field.type_shares.items())
        nulls = field.nulls / field.parents if field.parents else 0.0
        cells = [field.path, types, f"{field.fill:.0%}", f"{nulls:.0%}", distinct_text(field),
                 range_text(field), references_text(field), " · ".join(field.examples)]  # fmt: skip
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return lines


def _cell(text: str) -> str:
    """Text that no markdown reader takes for markup."""
    text = "".join(c if c.isprintable() else " " for c in text)
    for mark in "\\|<>[]*_`":
        text = text.replace(mark, f"&#{ord(mark)};" if mark in "|<>" else f"\\{mark}")
    return text


def _collection(one: CollectionProfile) -> dict[str, Any]:
    return {**_record(one), "fields": [_field(field) for field in one.fields]}


def _field(field: FieldProfile) -> dict[str, Any]:
    return {**_record(field), "fill": round(field.fill, 6),
            "type_shares": {name: round(share, 6) for name, share in field.type_shares.items()}}  # fmt: skip


def _record(one: CollectionProfile | FieldProfile | Lengths | Reference) -> dict[str, Any]:
    return {f.name: getattr(one, f.name) for f in fields(one) if f.name not in _NOT_WRITTEN}


def _plain(value: Any) -> Any:
    return _record(value) if isinstance(value, (Lengths, Reference)) else str(value)


def write_reports(out: Path, texts: dict[Path, str]) -> list[Path]:
    """Write files whole or not at all, readable by their owner only; the paths written.

    Args:
        out: the folder; if it has to be made, it is closed to others.
        texts: path to content; a relative path lies in the folder.

    Raises:
        RisError: a file cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        return [_write(out / path, text) for path, text in texts.items()]
    except OSError as error:
        raise RisError(
            f"The profile cannot be written to {error.filename or out}: {error.strerror}. Give another --out."
        ) from error


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
