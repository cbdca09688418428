"""Small rules of the extraction: masking, trying again, drift."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from ris_assets.contracts.entities import ENTITIES
from ris_assets.errors import Interrupted, RisError
from ris_assets.extract.drift import compared, field_profile
from ris_assets.extract.redact import redacted
from ris_assets.extract.source_map import EntityMap, SourceMap
from ris_assets.ingest import retries
from ris_assets.ingest.parts import parts_of
from ris_assets.ingest.retries import persistently
from ris_assets.partitions import Window
from tests.queries import matches

DAY, UTC = date(2024, 1, 1), ZoneInfo("UTC")


def test_what_lies_at_personal_paths_is_masked_wherever_arrays_lie_on_the_way():
    document = {"a": [{"b": "x", "c": 1}, {"b": None}], "d": {"e.f": "y"}, "g": ["p", "q"]}
    assert redacted(document, ["a.b", r"d.e\.f", "g.1", "no.such"]) == {
        "a": [{"b": "<personal>", "c": 1}, {"b": None}],
        "d": {"e.f": "<personal>"},
        "g": ["p", "<personal>"],
    }


@pytest.mark.parametrize("found", ["Anna", ["Anna"], {"street": "Anna"}, [{"street": "Anna"}]])
def test_what_stands_where_a_personal_path_leads_through_is_masked(found):
    paths = ["to.street.name", "to.street.no"]
    assert "Anna" not in str(redacted({"to": found, "kg": 7}, paths))
    assert redacted({"to": None, "kg": 7}, paths) == {"to": None, "kg": 7}


def test_every_entity_of_a_collection_hides_what_any_of_them_marks_as_personal():
    passes = {n: n for n in ("hp_id", "user_id", "purchased_at", "starts_at", "ends_at")}
    users = {"user_id": "_id", "registered_at": "at"}
    entities = {
        "users": {"collection": "c", "fields": users, "personal": {"name": "fio"}},
        "hero_passes": [
            {"collection": "c", "fields": passes},
            {"collection": "d", "fields": passes},
        ],
    }
    source_map = SourceMap.model_validate({"entities": entities})
    parts = parts_of(ENTITIES["hero_passes"], source_map.entities["hero_passes"], source_map, UTC)
    assert [part.shape.personal_paths for part in parts] == [("fio",), ()]


def failing(times: int):
    calls = []

    def attempt() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise Interrupted("The line is dead.")
        return "done"

    return attempt, calls


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(retries, "WAITS", (0.0, 0.0, 0.0, 0.0))


def test_an_interruption_is_tried_again_and_warned_of():
    warnings: list[str] = []
    attempt, calls = failing(4)
    assert persistently(attempt, warnings.append) == "done"
    assert (len(calls), len(warnings)) == (5, 4)
    assert warnings[0].startswith("The line is dead. Attempt 1 of 5 failed")


def test_after_five_attempts_there_is_one_sentence():
    attempt, calls = failing(5)
    with pytest.raises(RisError, match=r"The line is dead\. Given up after 5 attempts"):
        persistently(attempt, lambda _: None)
    assert len(calls) == 5


def test_other_errors_are_not_tried_again():
    def refuse() -> None:
        raise RisError("No.")

    with pytest.raises(RisError, match=r"^No\.$"):
        persistently(refuse, lambda _: None)


def test_a_rare_field_that_the_sample_misses_has_not_vanished():
    before = field_profile([{"a": 1, "rare": n} if n < 1 else {"a": 1} for n in range(100)])
    now = field_profile([{"a": 1}] * 100)
    assert compared(before, now, 100)["status"].unique().to_list() == ["same"]


def test_types_add_up_and_nothing_is_new_the_first_time():
    first = compared(pl.DataFrame(schema=before_schema()), field_profile([{"a": 1}]), 1)
    assert first["status"].to_list() == ["same"]
    second = compared(first, field_profile([{"a": "x"}]), 1)
    assert second.select("status", "types").row(0) == ("retyped", ["number", "str"])
    assert compared(second, field_profile([{"a": 1}]), 1)["status"].to_list() == ["same"]


@pytest.mark.parametrize(
    ("place", "is_asked"),
    [({}, True), ({"format": "%d.%m.%Y"}, False), ({"plus": {"days": 1}}, False)],
)
def test_a_source_is_asked_for_days_only_where_it_can_compare_them(place, is_asked):
    at = {"path": "at", **place}
    fields = {"steps_id": "_id", "user_id": "who", "counted_at": at, "steps": "n"}
    entity_map = EntityMap(sources=({"collection": "s", "fields": fields},))
    source_map = SourceMap.model_construct(timezone=None, entities={}, legacy_uuid="standard")
    (part,) = parts_of(ENTITIES["daily_steps"], entity_map, source_map, UTC)
    assert bool(part.query(Window(DAY, DAY, UTC), None)) is is_asked


@pytest.mark.parametrize("form", ["date", "epoch_ms"])
def test_a_source_is_asked_for_what_happened_or_changed_in_the_days_and_for_nothing_else(form):
    def written(at: datetime) -> object:
        return at if form == "date" else int(at.timestamp() * 1000)

    fields = {"steps_id": "_id", "user_id": "who", "counted_at": "at", "steps": "n"}
    changed_at = {"path": "updated", "format": form}
    source = {"collection": "s", "changed_at": changed_at, "fields": fields, "late_days": 0}
    source_map = SourceMap.model_construct(timezone=None, entities={}, legacy_uuid="standard")
    (part,) = parts_of(ENTITIES["daily_steps"], EntityMap(sources=(source,)), source_map, UTC)
    asked = part.query(Window(DAY, DAY, UTC), None)
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    before = noon - timedelta(days=40)
    assert matches({"at": noon, "updated": written(before)}, asked)
    assert matches({"at": before, "updated": written(noon)}, asked)
    assert not matches({"at": before, "updated": written(before)}, asked)
    assert not matches({"at": before}, asked)


def before_schema():
    return {"path": pl.String(), "types": pl.List(pl.String()), "fill_share": pl.Float64()}
