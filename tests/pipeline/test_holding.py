"""`ris check`: a source map held against a dump, without any database."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from click.testing import CliRunner

from ris_assets.extract.source_map import SourceMap
from ris_assets.ingest.holding import Holder
from ris_assets.resources.mongo import DumpSource
from ris_assets.settings import forget_settings
from tests.pipeline.landing_case import ALMATY, NOON, write_dump
from tests.pipeline.test_landing import BOOKINGS, PASSES, STEPS, USERS, user, visit


def held(folder, **entities):
    source_map = SourceMap.model_validate(
        {"entities": {"users": USERS, "hero_passes": PASSES, **entities}}
    )
    holder = Holder(source_map, DumpSource(folder), ALMATY, sample=0)
    return {part.entity: part for part in holder.hold()}


def hero_pass(number, user_id="a", **fields):
    return {"_id": number, "user": user_id, "at": NOON, "to": NOON + timedelta(days=30), **fields}


def texts(part) -> set[tuple[str, str]]:
    return {(finding.level, finding.place.split(".")[-1]) for finding in part.findings}


def test_a_map_that_fits_has_no_findings(tmp_path):
    write_dump(tmp_path, users=[user("a", friends=["b"], city="x", sex="F")], passes=[hero_pass(1)])
    found = held(tmp_path)
    assert [part.findings for part in found.values()] == [[], []]
    assert (found["users"].documents, found["users"].refused) == (1, 0)


def test_a_field_that_only_some_documents_lack_is_named(tmp_path):
    write_dump(tmp_path, users=[user("a")], passes=[hero_pass(1, to=None), hero_pass(2)])
    found = [one for one in held(tmp_path)["hero_passes"].findings if one.level == "warning"]
    assert [one.place.split(".")[-1] for one in found] == ["ends_at"]
    assert "1 of 2 rows have no value at `to`" in found[0].text


@pytest.mark.parametrize(("form", "told"), [("date", ["starts_at"]), ("local", [])])
def test_days_that_are_stored_as_midnight_utc_are_told(tmp_path, form, told):
    bought = [NOON + timedelta(days=n) for n in range(5)]
    passes = [hero_pass(n, at=at, on=at.replace(hour=0)) for n, at in enumerate(bought)]
    write_dump(tmp_path, users=[user("a")], passes=passes)
    starts = {"starts_at": {"path": "on", "format": form}}
    part = held(tmp_path, hero_passes={**PASSES, "fields": {**PASSES["fields"], **starts}})
    findings = part["hero_passes"].findings
    assert [one.place.split(".")[-1] for one in findings if "format: local" in one.text] == told


@pytest.mark.parametrize(("distinct", "refused"), [(False, 1), (True, 0)])
def test_ids_that_several_documents_have_are_told_unless_one_is_to_stand(
    tmp_path, distinct, refused
):
    write_dump(tmp_path, passes=[hero_pass(1), hero_pass(2), hero_pass(3, "b")])
    fields = {"user_id": "user", "registered_at": "at"}
    users = {"collection": "passes", "fields": fields, "distinct": distinct}
    part = held(tmp_path, users=users)["users"]
    assert (part.rows, part.refused) == (3, refused)
    assert (
        any("an id that another document has" in one.text for one in part.findings) is not distinct
    )


def test_an_id_that_counts_within_its_document_is_told_to_be_left_out(tmp_path):
    periods = [{"no": n, "at": NOON, "to": NOON + timedelta(days=30)} for n in (1, 2)]
    write_dump(tmp_path, users=[user("a")], passes=[{"_id": n, "periods": periods} for n in (1, 2)])
    at = {"purchased_at": "periods.at", "starts_at": "periods.at", "ends_at": "periods.to"}
    fields = {"hp_id": "periods.no", "user_id": {"value": "a"}, **at}
    part = {"collection": "passes", "explode": "periods", "fields": fields}
    told = [one.text for one in held(tmp_path, hero_passes=part)["hero_passes"].findings]
    assert any("leave `hp_id` out" in text for text in told)


def test_missing_paths_misfits_orphans_and_wrong_epochs_are_found(tmp_path):
    future = datetime(2190, 1, 1, tzinfo=UTC)
    write_dump(
        tmp_path,
        users=[user("a", sex="unknown"), user("b", sex="F")],
        passes=[hero_pass(1), hero_pass(2, "nobody", to=future)],
    )
    found = held(tmp_path)
    assert texts(found["users"]) == {
        ("warning", "sex"),
        ("warning", "friend_ids"),
        ("warning", "city"),
    }
    assert texts(found["hero_passes"]) == {("warning", "user_id"), ("warning", "ends_at")}
    assert found["hero_passes"].orphans == {"user_id": 1}
    sex = next(one for one in found["users"].fields if one.name == "sex")
    assert (sex.filled, sex.misfits) == (2, 1)
    assert sex.examples == ["unknown (the source map has no translation for this value)"]


@pytest.mark.parametrize(("limit", "level"), [(0.5, "warning"), (0.4, "error")])
def test_passes_that_end_before_they_start_are_told_and_too_many_are_an_error(
    tmp_path, limit, level
):
    passes = [hero_pass(1), hero_pass(2, to=NOON - timedelta(days=30))]
    write_dump(tmp_path, users=[user("a")], passes=passes)
    found = held(tmp_path, hero_passes={**PASSES, "reject_limit": limit})["hero_passes"]
    assert (found.refused, found.fields[-1].misfits) == (0, 0)
    (told,) = [one for one in found.findings if one.place.endswith(".ends_at")]
    assert told.level == level
    assert told.text.startswith(
        "1 of 2 rows do not end after they start and cover nothing,"
        " such as 2024-01-01T12:00:00Z to 2023-12-02T12:00:00Z"
    )


@pytest.mark.parametrize(("bare", "level"), [(1, "warning"), (2, "error")])
def test_subscriptions_that_ended_before_their_first_period_are_no_error_unless_most_did(
    tmp_path, bare, level
):
    passes = [hero_pass(n, to=NOON if n < bare else None) for n in range(3)]
    write_dump(tmp_path, users=[user("a")], passes=passes)
    found = held(tmp_path, hero_passes={**PASSES, "repeat": {"months": 1}})["hero_passes"].findings
    ends = [one.level for one in found if one.place == "hero_passes (passes).ends_at"]
    assert ends == [level]


@pytest.mark.parametrize(
    ("ago", "apart", "told"),
    [(30, 1, True), (3, 1, False), (30, 2, False)],
    ids=["long ago", "lately", "not long for so few"],
)
def test_a_dump_that_is_silent_about_what_repeats_until_now_is_told(tmp_path, ago, apart, told):
    last = datetime.now(UTC) - timedelta(days=ago)
    begun = [last - timedelta(days=apart * n) for n in range(10)]
    passes = [hero_pass(n, at=at, to=None) for n, at in enumerate(begun)]
    passes[0]["to"] = datetime.now(UTC) - timedelta(hours=1)
    write_dump(tmp_path, users=[user("a")], passes=passes)
    found = held(tmp_path, hero_passes={**PASSES, "repeat": {"months": 1}})["hero_passes"].findings
    day = last.astimezone(ALMATY).date()
    assert [
        f"nothing later than {day} is told" in one.text for one in found if "told" in one.text
    ] == [True] * told


@pytest.mark.parametrize(
    ("later", "visits", "since", "told"),
    [
        (100, 40, None, True),
        (100, 40, "2024-04-10", False),
        (40, 40, None, False),
        (100, 9, None, False),
    ],
)
def test_events_that_begin_long_after_passes_are_told(tmp_path, later, visits, since, told):
    begin = NOON + timedelta(days=later)
    sessions = [
        {"_id": n, "u": "a", "at": begin + timedelta(days=n * 80 / visits)} for n in range(visits)
    ]
    halves = {"opened": sessions[: visits // 2], "opened_later": sessions[visits // 2 :]}
    never = hero_pass(2, at=datetime(1970, 1, 1, tzinfo=UTC))
    write_dump(tmp_path, users=[user("a")], passes=[hero_pass(1), never], **halves)
    fields = {"session_id": "_id", "user_id": "u", "started_at": "at"}
    sources = [{"collection": name, "fields": fields} for name in halves]
    source_map = SourceMap.model_validate(
        {
            "entities": {
                "users": USERS,
                "hero_passes": PASSES,
                "app_sessions": {"sources": sources, "since": since},
            }
        }
    )
    parts = Holder(source_map, DumpSource(tmp_path), ALMATY, sample=0).hold()
    findings = [one for part in parts for one in part.findings if one.place == "app_sessions"]
    assert [one.level for one in findings] == ["warning"] * told
    assert all("add `since: 2024-04-10` to the entity" in one.text for one in findings)


def test_a_price_below_nothing_is_a_warning_and_stays(tmp_path):
    write_dump(tmp_path, users=[user("a")], passes=[hero_pass(1, cost=-5), hero_pass(2, cost=5)])
    fields = {**PASSES["fields"], "price": "cost"}
    found = held(tmp_path, hero_passes={**PASSES, "fields": fields})["hero_passes"]
    told = [(one.level, one.place.split(".")[-1], one.text) for one in found.findings]
    assert told == [("warning", "price", "prices go down to -5, and are kept as they are")]


def test_a_freeze_that_ends_before_it_starts_is_told(tmp_path):
    fields = {n: "at" for n in ("requested_at", "starts_at")}
    freezes = {"collection": "pauses", "fields": {"freeze_id": "_id", "hp_id": "p", **fields}}
    freezes["fields"]["ends_at"] = "to"
    pauses = [{"_id": 1, "p": 1, "at": NOON, "to": NOON}, {"_id": 2, "p": 1, "at": NOON}]
    write_dump(tmp_path, users=[user("a")], passes=[hero_pass(1)], pauses=pauses)
    found = held(tmp_path, freezes=freezes)["freezes"]
    assert ("error", "ends_at") in texts(found)


def test_a_required_path_that_no_document_has_is_an_error(tmp_path):
    write_dump(tmp_path, users=[user("a")], passes=[{"_id": 1, "user": "a"}])
    found = held(tmp_path)["hero_passes"]
    assert ("error", "purchased_at") in texts(found)
    assert found.refused_share == 1.0


def test_fields_of_a_parent_are_looked_up(tmp_path):
    steps = [{"_id": n, "visit": f"v{n}", "at": NOON, "n": 1} for n in (0, 1)]
    write_dump(tmp_path, users=[user("u")], passes=[], visits=[visit(0)], steps=steps)
    found = held(tmp_path, bookings=BOOKINGS, daily_steps=STEPS)
    assert (found["daily_steps"].rows, found["daily_steps"].refused) == (2, 1)


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, 1)])
def test_the_exit_code_tells_ci_whether_the_map_will_do(tmp_path, monkeypatch, broken, code):
    from ris_assets.cli_check import check

    passes = [{"_id": 1} if broken else hero_pass(1)]
    write_dump(tmp_path / "dump", users=[user("a", friends=[], city="x", sex="M")], passes=passes)
    text = yaml.safe_dump({"entities": {"users": USERS, "hero_passes": PASSES}})
    (tmp_path / "map.yaml").write_text(text)
    monkeypatch.setenv("RIS_MONGO_URL", f"file:{tmp_path / 'dump'}")
    forget_settings()
    arguments = ["--map", str(tmp_path / "map.yaml"), "--json", str(tmp_path / "found.json")]
    result = CliRunner().invoke(check, [*arguments, "--sample", "0"])
    forget_settings()
    assert result.exit_code == code, result.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert {part["entity"] for part in found} == {"users", "hero_passes"}
