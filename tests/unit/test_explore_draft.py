"""Drafted source maps: of databases in foreign shapes, and of single fields."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ris_assets.contracts.entities import ENTITIES
from ris_assets.extract.profiling.draft import EntityGuess, draft_map, snake
from ris_assets.extract.profiling.draft_yaml import draft_yaml
from ris_assets.extract.profiling.standins import with_standins
from ris_assets.extract.source_map import SourceMap, load_source_map
from tests.unit.explore_case import (
    START,
    academia,
    billing,
    boxes,
    club,
    crm,
    embedded,
    explored,
    invoices,
    newspaper,
    oid,
    sql_copy,
    telco,
    vertraege,
    wrapped,
)

CRM = {
    "users": ("clients", None, {
        "user_id": "_id", "registered_at": {"path": "data_registracii", "format": "epoch_s"},
        "birth_date": {"path": "data_rozhdeniya", "format": "iso"},
        "sex": {"path": "pol", "values": {"zh": "female", "m": "male"}},
        "height_cm": {"path": "rost", "unit": "m"}, "weight_kg": "ves"}),
    "hero_passes": ("abonements", None, {
        "hp_id": "_id", "user_id": "client_id", "price": "stoimost", "product": "tarif", "is_trial": "probny",
        "discount_share": {"path": "skidka", "unit": "percent"},
        "purchased_at": {"path": "data_pokupki", "format": "epoch_s"},
        "starts_at": {"path": "data_nachala", "format": "iso"},
        "ends_at": {"path": "data_okonchaniya", "format": "iso"}}),
    "freezes": ("zamorozki", None, {
        "freeze_id": "_id", "hp_id": "abonement_id", "starts_at": {"path": "data_nachala", "format": "iso"},
        "ends_at": {"path": "data_okonchaniya", "format": "iso"},
        "requested_at": {"path": "data_nachala", "format": "iso"}}),
    "bookings": ("visits", None, {
        "booking_id": "_id", "user_id": "client_id", "booked_at": {"path": "created_at", "format": "epoch_s"},
        "starts_at": {"path": "visit_date", "format": "epoch_s"}, "status": {"value": "attended"},
        "coach_id": "trener_id", "class_type": "zanyatie"}),
    "payments": ("oplaty", None, {
        "payment_id": "_id", "user_id": "client_id", "amount": "summa", "currency": "valyuta",
        "paid_at": {"path": "data", "format": "iso"},
        "status": {"path": "status", "values": {"oplachen": "succeeded", "otkaz": "failed"}}}),
}  # fmt: skip
EMBEDDED = {
    "users": ("members", None, {
        "user_id": "_id", "registered_at": {"path": "joinedOn", "format": "iso"},
        "birth_date": {"path": "dateOfBirth", "format": "iso"},
        "sex": {"path": "gender", "values": {"f": "female", "m": "male"}}}),
    "hero_passes": ("members", "memberships", {
        "hp_id": "memberships.membershipId", "user_id": "_id", "product": "memberships.plan",
        "price": "memberships.price.value", "purchased_at": {"path": "memberships.soldOn", "format": "iso"},
        "starts_at": {"path": "memberships.startDate", "format": "iso"},
        "ends_at": {"path": "memberships.endDate", "format": "iso"}}),
    "freezes": ("members", "memberships.pauses", {
        "hp_id": "memberships.membershipId", "starts_at": {"path": "memberships.pauses.from", "format": "iso"},
        "requested_at": {"path": "memberships.pauses.requestedAt", "format": "iso"},
        "ends_at": {"path": "memberships.pauses.until", "format": "iso"}}),
    "bookings": ("reservations", None, {
        "booking_id": "_id", "user_id": "member", "coach_id": "session.coach",
        "booked_at": {"path": "reservedOn", "format": "iso"}, "starts_at": {"path": "startTime", "format": "iso"},
        "status": {"path": "state",
                   "values": {"CHECKED_IN": "attended", "NO_SHOW": "no_show", "CANCELED": "cancelled"}}}),
}  # fmt: skip


NESTED = {"freezes"}
"""Found in `embedded`, but in an array within an array."""


def drafted(collections: dict[str, Any]) -> dict[str, EntityGuess]:
    return {guess.entity: guess for guess in draft_map(explored(collections).collections)}


def written(collections: dict[str, Any]) -> str:
    return draft_yaml(draft_map(explored(collections).collections), "Asia/Almaty")


TODAY = date(2026, 10, 1)


def stood_in(folder: Path, collections: dict[str, Any]) -> tuple[dict[str, EntityGuess], SourceMap]:
    """Guesses with stand-ins, and the map as it loads."""
    found = explored(collections).collections
    guesses = with_standins(draft_map(found), found, TODAY)
    path = folder / "map.yaml"
    path.write_text(draft_yaml(guesses, "Asia/Tokyo"))
    return {guess.entity: guess for guess in guesses}, load_source_map(path)


def specs(guess: EntityGuess) -> dict[str, Any]:
    return {field.name: plain(field.spec) for field in guess.fields}


def plain(spec: dict[str, Any]) -> Any:
    return spec["path"] if set(spec) == {"path"} else spec


SHAPES = pytest.mark.parametrize(
    "shape, expected", [(crm(), CRM), (embedded(), EMBEDDED)], ids=["crm", "embedded"]
)


@SHAPES
def test_foreign_shapes_are_recognised(shape, expected):
    guesses = drafted(shape)
    nested = NESTED if expected is EMBEDDED else set()
    assert {name for name, guess in guesses.items() if guess.is_active} == set(expected) - nested
    for name, (collection, explode, fields) in expected.items():
        guess = guesses[name]
        assert guess.frame and (guess.frame.collection.name, guess.frame.explode) == (
            collection,
            explode,
        )
        assert {g.name: plain(g.spec) for g in guess.fields} == fields, name


@pytest.mark.parametrize(
    "shape, places",
    [(billing(), {"users": "customers", "hero_passes": "subscriptions", "payments": "charges",
                  "bookings": "checkins"}),
     (club(), {"users": "people", "hero_passes": "contracts", "freezes": "contracts.freeze_periods",
               "bookings": "class_bookings", "body_measurements": "measurements", "app_events": "activity_logs"})],
    ids=["billing", "club"],
)  # fmt: skip
def test_other_businesses_are_recognised(shape, places, tmp_path: Path):
    guesses = drafted(shape)
    found = {
        name: guess.frame.place
        for name, guess in guesses.items()
        if guess.is_active and guess.frame
    }
    assert found == places
    path = tmp_path / "map.yaml"
    path.write_text(written(shape))
    assert set(load_source_map(path).entities) == set(places)


def test_passes_without_an_end_come_with_a_word_on_how_to_repeat_them():
    people = [{"_id": oid(1, n), "createdAt": START, "name": f"P{n}"} for n in range(40)]
    passes = [
        {"_id": n, "userId": oid(1, n), "purchasedAt": START, "startsAt": START, "endsAt": end}
        for n, end in enumerate([None, START] * 20)
    ]
    text = written({"users": people, "passes": passes})
    assert "empty in 50%: if these renew themselves, add `repeat: {months: 1}`" in text


def test_attendance_as_a_boolean_is_a_status_and_unknown_states_are_no_payment():
    assert drafted(club())["bookings"].field("status").spec["values"] == {
        True: "attended",
        False: "no_show",
    }
    assert "payment_status" not in {
        guess.name for guess in drafted(billing())["hero_passes"].fields
    }


@SHAPES
def test_a_drafted_map_loads(shape, expected, tmp_path: Path):
    path = tmp_path / "map.yaml"
    path.write_text(text := written(shape))
    loaded = load_source_map(path)
    assert set(loaded.entities) == set(expected) - (NESTED if expected is EMBEDDED else set())
    assert ("only one can be exploded" in text) == (expected is EMBEDDED)
    personal = loaded.entities["users"].sources[0].personal
    assert set(personal.values()) in (
        {"fio", "telefon", "e_mail"},
        {"firstName", "lastName", "email"},
    )


def test_the_draft_names_every_entity_and_the_surest_come_first():
    text = written(crm())
    assert all(f"# {name}:" in text for name in ENTITIES)
    shares = [float(part.split()[0].strip(";")) for part in text.split(": confidence ")[1:]]
    assert shares == sorted(shares, reverse=True)
    assert "personal" in text and "+7701" not in text and "@mail.kz" not in text


def test_an_entity_that_lacks_a_required_field_is_commented_out_with_what_is_missing(
    tmp_path: Path,
):
    shape = crm()
    shape["abonements"] = [
        {k: v for k, v in d.items() if k != "data_okonchaniya"} for d in shape["abonements"]
    ]
    text = written(shape)
    assert "not found, and needed: ends_at" in text and "Not usable yet: hero_passes" in text
    assert "hero_passes" not in yaml.safe_load(text)["entities"]
    assert "  #     purchased_at: {path: data_pokupki, format: epoch_s}" in text


def test_nothing_known_gives_a_draft_of_nothing():
    guesses = drafted(
        {"stars": [{"_id": n, "spectrum": "G2", "parallax": 0.1 * n} for n in range(20)]}
    )
    assert not any(guess.is_active for guess in guesses.values())
    assert yaml.safe_load(written({"stars": [{"_id": 1}]}))["entities"] is None


def _people(**extra: Any) -> list[dict[str, Any]]:
    return [{"_id": oid(1, n), "createdAt": START, "email": f"a{n}@b.kz"} | {k: f(n) for k, f in extra.items()}
            for n in range(40)]  # fmt: skip


@pytest.mark.parametrize(
    "name, value, field, spec",
    [
        ("weight", lambda n: 61_000 + n, "weight_kg", {"path": "weight", "unit": "g"}),
        ("weightLbs", lambda n: 150.5 + n, "weight_kg", {"path": "weightLbs", "unit": "lb"}),
        ("weight", lambda n: 61.5 + n, "weight_kg", {"path": "weight"}),
        ("height", lambda n: 60 + n % 9, "height_cm", {"path": "height", "unit": "inch"}),
        ("fat", lambda n: 0.21, "fat_share", {"path": "fat"}),
        ("fatPercent", lambda n: 21, "fat_share", {"path": "fatPercent", "unit": "percent"}),
        ("gender", lambda n: n % 2, "sex", {"path": "gender", "values": {0: "female", 1: "male"}}),
        ("gender", lambda n: ("male", "female")[n % 2], "sex", {"path": "gender"}),
        ("birthday", lambda n: START, "birth_date", {"path": "birthday"}),
        ("trial", lambda n: n % 2, "has_trial", {"path": "trial"}),
        ("trial", lambda n: ("No", "Yes")[n % 2], "has_trial", {"path": "trial", "values": {"No": False, "Yes": True}}),
        ("weight", lambda n: f"{60 + n},5", "weight_kg", {"path": "weight", "decimal": ","}),
        ("weight", lambda n: f"{60 + n}.5", "weight_kg", {"path": "weight"}),
        ("birthday", lambda n: datetime(1990, 1, 1 + n % 28), "birth_date", {"path": "birthday"}),
        ("birthday", lambda n: 19900101 + n % 28, "birth_date", {"path": "birthday", "format": "%Y%m%d"}),
        ("friends", lambda n: [oid(1, n + 1)], "friend_ids", {"path": "friends"}),
        ("клуб", lambda n: oid(5, n % 3), "club_id", {"path": "клуб"}),
    ],
)  # fmt: skip
def test_units_codes_and_types_are_told_by_names_and_values(name, value, field, spec):
    assert drafted({"users": _people(**{name: value})})["users"].field(field).spec == spec


@pytest.mark.parametrize(
    "number, form", [(1_700_000_000, "epoch_s"), (1_700_000_000_000, "epoch_ms")]
)
def test_numbers_since_1970_are_told_by_their_size(number, form):
    people = [{**person, "createdAt": number + n} for n, person in enumerate(_people())]
    assert drafted({"users": people})["users"].field("registered_at").spec["format"] == form


@pytest.mark.parametrize(
    "written, spec",
    [
        (lambda at: at.replace(hour=0), {"format": "local"}),
        (lambda at: at, {}),
        (lambda at: f"{at:%d.%m.%Y %H:%M}", {"format": "%d.%m.%Y %H:%M"}),
        (lambda at: f"{at:%m/%d/%Y}", {"format": "%m/%d/%Y"}),
        (lambda at: int(f"{at:%Y%m%d}"), {"format": "%Y%m%d"}),
        (lambda at: f"{at:%Y-%m-%d}" if at.day % 5 else "", {"format": "iso"}),
    ],
)
def test_days_and_patterns_of_instants_are_told_by_their_values(written, spec):
    people = [
        {**person, "createdAt": written(START + timedelta(days=n))}
        for n, person in enumerate(_people())
    ]
    found = drafted({"users": people})["users"].field("registered_at")
    assert found.spec == {"path": "createdAt", **spec}


def test_an_import_of_tables_is_recognised_by_keys_of_one_name_and_days_by_their_pattern():
    days = [START + timedelta(days=n) for n in range(40)]
    people = [
        {"_id": oid(1, n), "msno": f"m{n}", "Beitritt": f"{at:%d.%m.%Y}"}
        for n, at in enumerate(days)
    ]
    passes = [
        {"_id": oid(2, n), "msno": f"m{n // 2}", "Preis": f"{n}9,90 €"}
        | dict.fromkeys(("von", "bis"), f"{at:%d.%m.%Y}")
        for n, at in enumerate(days)
    ]
    guesses = drafted({"mitglieder": people, "vertraege": passes})
    assert guesses["users"].field("user_id").spec == {"path": "msno"}
    found = {g.name: g.spec for g in guesses["hero_passes"].fields}
    assert found["user_id"] == {"path": "msno"}
    assert found["price"] == {"path": "Preis", "decimal": ","}
    assert found["ends_at"] == {"path": "bis", "format": "%d.%m.%Y"}
    assert any("plus: {days: 1}" in note for note in guesses["hero_passes"].field("ends_at").notes)


def _transactions(people: int = 50) -> dict[str, Any]:
    """Tables of transactions: each buys a period or takes one back; a log of seconds beside them."""
    return {
        "members": [{"msno": f"m{n}", "registration_init_time": 20240101 + n % 28} for n in range(people)],
        "transactions": [
            {"msno": f"m{n % people}", "payment_method_id": 30 + n % 3, "actual_amount_paid": 149,
             "transaction_date": 20240101 + n % 28, "membership_expire_date": 20240201 + n % 28,
             "is_cancel": int(n % 9 == 0)}
            for n in range(3 * people)
        ],
        "user_logs": [
            {"msno": f"m{n % people}", "date": 20240101 + n % 28, "total_secs": 900.5 + n}
            for n in range(3 * people)
        ],
    }  # fmt: skip


def test_transactions_that_say_until_when_they_pay_are_passes_and_seconds_are_no_money():
    guesses = drafted(_transactions())
    active = {n: g.frame.place for n, g in guesses.items() if g.is_active and g.frame}
    assert active == {
        "users": "members", "hero_passes": "transactions", "app_sessions": "user_logs"
    }  # fmt: skip
    passes = guesses["hero_passes"]
    paths = {name: passes.field(name).spec["path"] for name in ("purchased_at", "starts_at")}
    assert set(paths.values()) == {"transaction_date"}
    assert passes.field("ends_at").spec["path"] == "membership_expire_date"
    assert passes.field("is_cancellation").spec["path"] == "is_cancel"


def test_fields_of_passes_that_nothing_reads_are_proposed_as_factors_and_codes_are_no_numbers():
    shape = _transactions()
    for n, document in enumerate(shape["transactions"]):
        document["is_auto_renew"] = n % 2
    found = explored(shape).collections
    text = draft_yaml(with_standins(draft_map(found), found, TODAY), "UTC")
    flag = "{path: is_auto_renew, values: {0: 'no', 1: 'yes'}}"
    code = "{path: payment_method_id, prefix: '#'}"
    assert f"    # factors: {{payment_method_id: {code}, is_auto_renew: {flag}}}  #" in text
    assert text.count("# factors:") == 1


def test_transactions_without_an_end_are_payments():
    shape = _transactions()
    for document in shape["transactions"]:
        del document["membership_expire_date"]
    guesses = drafted(shape)
    assert guesses["payments"].frame.place == "transactions"
    assert not guesses["hero_passes"].is_active


def test_a_pass_that_was_cancelled_is_no_cancellation_of_others():
    people = _people()
    passes = [
        {"_id": n, "userId": oid(1, n), "purchasedAt": START, "startsAt": START, "endsAt": START,
         "isCancelled": n % 2 == 0}
        for n in range(40)
    ]  # fmt: skip
    fields = drafted({"users": people, "passes": passes})["hero_passes"].fields
    assert "is_cancellation" not in {guess.name for guess in fields}


def test_parts_of_a_subscription_are_no_freezes():
    people = [{"_id": f"c{n}", "createdAt": START} for n in range(40)]
    times = dict.fromkeys(("created", "start_date", "ended_at"), START)
    passes = [
        {"_id": f"s{n}", "customer": f"c{n}", "items": [{"id": f"i{n}", "price": n}], **times}
        for n in range(40)
    ]
    assert not drafted({"customers": people, "subscriptions": passes})["freezes"].is_active


@pytest.mark.parametrize(("most", "path"), [(1, "items.data.0.price.amount"), (2, None)])
def test_what_stands_in_an_array_of_one_is_read_from_there(most, path):
    people = [{"_id": f"c{n}", "createdAt": START} for n in range(40)]
    times = dict.fromkeys(("created", "start_date", "ended_at"), START)
    items = [{"price": {"amount": 9900, "tags": [1]}}, {"price": {"amount": 100}}]
    passes = [
        {"_id": f"s{n}", "customer": f"c{n}", "items": {"data": items[: 1 + n % most]}, **times}
        for n in range(40)
    ]
    fields = drafted({"customers": people, "subscriptions": passes})["hero_passes"].fields
    assert {g.spec["path"] for g in fields if g.name == "price"} == ({path} if path else set())


def test_an_instant_is_no_reason_and_a_cancellation_says_what_it_ends():
    people = [{"_id": f"c{n}", "createdAt": START} for n in range(40)]
    begun = 1_700_000_000
    passes = [
        {"_id": f"s{n}", "customer": f"c{n}", "created": begun, "start_date": begun,
         "ended_at": begun + n, "cancel_at": begun + n, "canceled_at": begun + n}
        for n in range(40)
    ]  # fmt: skip
    found = {
        g.name: g
        for g in drafted({"customers": people, "subscriptions": passes})["hero_passes"].fields
    }
    assert "cancel_reason" not in found
    assert any("if only the renewal is called off" in note for note in found["cancelled_at"].notes)


def test_logins_are_visits_to_the_app():
    people = _people()
    logins = [{"_id": n, "userId": oid(1, n % 40), "at": START, "seconds": n} for n in range(60)]
    assert drafted({"users": people, "logins": logins})["app_sessions"].is_active


def test_values_nobody_knows_are_left_for_a_person_to_say():
    visits = [{"_id": n, "userId": oid(1, n % 40), "bookedAt": START, "startsAt": START,
               "status": ("DONE", "DONE", "XYZZY")[n % 3]} for n in range(60)]  # fmt: skip
    guess = drafted({"users": _people(), "bookings": visits})["bookings"].field("status")
    assert guess.spec["values"] == {"DONE": "attended"} and guess.notes == (
        "say what these mean: XYZZY",
    )


def test_a_membership_written_into_the_person_is_found():
    people = [
        {
            **person,
            "subscription": {
                "plan": "Gold",
                "purchasedAt": START,
                "startDate": START,
                "endDate": START,
            },
        }
        if n % 2
        else person
        for n, person in enumerate(_people())
    ]
    text = written({"users": people})
    found = yaml.safe_load(text)["entities"]["hero_passes"]
    assert (found["collection"], found["filter"]) == ("users", {"subscription": {"$exists": True}})
    assert (
        found["fields"]["user_id"] == "_id" and found["fields"]["ends_at"] == "subscription.endDate"
    )


def test_a_user_who_is_only_known_through_a_parent_is_taken_from_there(tmp_path: Path):
    shape = crm()
    for document in shape["oplaty"]:
        document["abonement_id"] = document.pop("client_id") + 500
    guess = drafted(shape)["payments"].field("user_id")
    assert guess.spec == {
        "parent": {"entity": "hero_passes", "key": "abonement_id", "field": "user_id"}
    }
    path = tmp_path / "map.yaml"
    path.write_text(written(shape))
    assert load_source_map(path).entities["payments"].parents == {"hero_passes"}


def test_a_field_named_for_a_person_but_full_of_other_ids_is_not_the_user():
    clubs = [{"_id": oid(7, n), "name": f"Club {n}"} for n in range(40)]
    visits = [{"_id": oid(3, n), "user": oid(7, n % 40), "bookedAt": START, "startsAt": START, "status": "DONE"}
              for n in range(60)]  # fmt: skip
    assert (
        "user_id"
        in drafted({"users": _people(), "clubs": clubs, "bookings": visits})["bookings"].missing
    )


def test_names_that_yaml_would_misread_survive():
    people = [{**person, "on: #x": n % 2 == 0} for n, person in enumerate(_people())]
    instants = dict.fromkeys(("purchasedAt", "from", "to"), START)
    passes = [{"_id": n, "user.id": oid(1, n % 40)} | instants for n in range(50)]
    entities = yaml.safe_load(written({"users: no": people, "passes": passes}))["entities"]
    assert entities["users"]["collection"] == "users: no"
    assert entities["hero_passes"]["fields"]["user_id"] == r"user\.id"


def test_of_paths_alike_the_fuller_the_nearer_and_the_own_one_is_taken():
    people = [
        {**person, "partner": {"birthDate": START}, "birthDate": START} for person in _people()
    ]
    for person in people[:2]:
        person["registeredAt"] = START
    users = drafted({"users": people})["users"]
    assert users.field("birth_date").spec["path"] == "birthDate"
    assert users.field("registered_at").spec["path"] == "createdAt"


def test_an_element_is_read_before_the_document_around_it():
    visits = [{"_id": oid(3, n), "userId": oid(1, n % 40), "bookedAt": START, "startsAt": START, "status": "DONE",
               "weight": 1.5, "sets": [{"startsAt": START, "weight": 50.5, "reps": 5, "exercise": "squat"}]}
              for n in range(60)]  # fmt: skip
    sets = drafted({"users": _people(), "bookings": visits})["station_results"]
    assert sets.frame and sets.frame.explode == "sets"
    paths = {
        name: sets.field(name).spec["path"]
        for name in ("performed_at", "weight_kg", "user_id", "booking_id")
    }
    assert paths == {
        "performed_at": "sets.startsAt",
        "weight_kg": "sets.weight",
        "user_id": "userId",
        "booking_id": "_id",
    }


def test_a_parent_that_is_not_in_the_map_cannot_lend_its_user():
    shape = crm()
    shape["abonements"] = [
        {k: v for k, v in d.items() if k != "data_okonchaniya"} for d in shape["abonements"]
    ]
    for document in shape["oplaty"]:
        document["abonement_id"] = document.pop("client_id") + 500
    assert drafted(shape)["payments"].missing == ("user_id",)


def test_a_collection_that_lacks_what_is_needed_yields_to_one_that_has_it():
    logins = [{"_id": oid(8, n), "login": f"u{n}", "email": f"a{n}@b.kz"} for n in range(40)]
    frame = drafted({"users": logins, "members": _people()})["users"].frame
    assert frame and frame.collection.name == "members"


def test_a_name_alone_is_not_enough():
    guess = drafted(
        {"users": _people(), "events": [{"_id": n, "level": n % 3} for n in range(40)]}
    )["app_events"]
    assert not guess.is_active and guess.confidence < 0.35


def test_persons_who_stand_only_in_what_they_bought_are_drafted_from_it(tmp_path):
    guesses, loaded = stood_in(tmp_path, newspaper())
    assert specs(guesses["users"]) == {"user_id": "reader.no", "registered_at": "createdAt"}
    assert guesses["users"].personal == (("mail", "reader.mail"),)
    (part,) = loaded.entities["users"].sources
    assert (part.distinct, part.explode) == (True, None)
    (part,) = loaded.entities["hero_passes"].sources
    assert (part.explode, part.fields["user_id"].path) == ("periods", "reader.no")


def test_accounts_known_by_their_invoices_alone_are_drafted_from_these(tmp_path):
    guesses, loaded = stood_in(tmp_path, invoices())
    created = {"path": "created", "format": "epoch_s"}
    assert specs(guesses["users"]) == {"user_id": "account", "registered_at": created}
    passes = specs(guesses["hero_passes"])
    assert passes["payment_status"]["values"] == {"paid": "paid", "uncollectible": "failed"}
    assert "cancel_reason" not in passes
    assert set(loaded.entities) == {"users", "hero_passes"}


def test_members_of_a_table_of_tenures_are_drafted_with_a_pass_a_month(tmp_path):
    guesses, loaded = stood_in(tmp_path, telco())
    since = {"value": TODAY, "minus": {"months": "tenure"}}
    assert specs(guesses["users"])["registered_at"] == since
    passes = specs(guesses["hero_passes"])
    assert passes["ends_at"] == {"path": "Churn", "values": {"No": None, "Yes": TODAY}}
    assert passes["starts_at"] == passes["purchased_at"] == since
    assert (passes["user_id"], passes["price"]) == ("_id", "MonthlyCharges")
    assert passes["product"] == "Contract"
    assert loaded.entities["hero_passes"].sources[0].repeat is not None


def test_fields_of_persons_that_nothing_reads_are_proposed_as_factors(tmp_path):
    found = explored(telco()).collections
    text = draft_yaml(with_standins(draft_map(found), found, TODAY), "UTC")
    line = "    # factors: {phone_service: PhoneService, payment_method: PaymentMethod}  #"
    (proposed,) = [one for one in text.splitlines() if one.startswith(line)]
    path = tmp_path / "m.yaml"
    path.write_text(text.replace(proposed, proposed.replace("# factors", "factors")))
    (part,) = load_source_map(path).entities["users"].sources
    assert {name: factor.path for name, factor in part.factors.items()} == {
        "phone_service": "PhoneService", "payment_method": "PaymentMethod",
    }  # fmt: skip


def _callers(people: int = 90, **fields: Any) -> dict[str, list[dict[str, Any]]]:
    """Customers of a telephone company: what they have used, and how often they have called."""
    return {
        "customers": [
            {"_id": n, "plan": ("basic", "plus")[n % 2], "total_day_minutes": 100 + n / 7,
             "service_calls_number": n % 8, **{name: give(n) for name, give in fields.items()}}
            for n in range(people)
        ]
    }  # fmt: skip


def _with_standins(shape: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The guesses by entity, with what stands in for collections that are not there."""
    found = explored(shape).collections
    return {guess.entity: guess for guess in with_standins(draft_map(found), found, TODAY)}


def test_whose_subscription_has_begun_and_may_have_ended_has_passes():
    shape = _callers(
        subscribedAt=lambda n: START - timedelta(days=40 + n),
        canceledAt=lambda n: None if n % 3 else START - timedelta(days=n // 3),
        billing=lambda n: "quarterly" if n % 2 else "monthly",
    )
    guesses = _with_standins(shape)
    users, passes = guesses["users"], guesses["hero_passes"]
    assert users.is_active
    assert passes.is_active
    assert users.field("registered_at").spec["path"] == "subscribedAt"
    paths = {guess.name: guess.spec["path"] for guess in passes.fields}
    assert paths == {
        "hp_id": "_id", "user_id": "_id", "product": "plan", "purchased_at": "subscribedAt",
        "starts_at": "subscribedAt", "ends_at": "canceledAt",
    }  # fmt: skip
    assert passes.repeat == {
        "months": {"path": "billing", "values": {"monthly": 1, "quarterly": 3}}
    }
    assert "app_sessions" not in {name for name, guess in guesses.items() if guess.is_active}


@pytest.mark.parametrize(
    "told",
    [
        {
            "subscribedAt": lambda n: START - timedelta(days=40 + n),
            "canceledAt": lambda n: None if n % 3 else START - timedelta(days=n // 3),
        },
        {"tenure": lambda n: n % 50, "churn": lambda n: ("yes", "no")[n % 2]},
    ],
    ids=["days", "tenure"],
)
def test_whose_subscription_it_is_is_said_as_others_say_it(told):
    shape = _callers(customerNo=lambda n: f"C{n:04}", **told)
    shape["tickets"] = [
        {"_id": n, "customerNo": f"C{n % 90:04}", "openedAt": START, "topic": "bill"}
        for n in range(200)
    ]
    guesses = _with_standins(shape)
    whose = [guesses[name].field("user_id").spec["path"] for name in ("users", "hero_passes")]
    assert whose == ["customerNo", "customerNo"]


def test_whose_subscriptions_have_all_ended_or_are_sold_elsewhere_has_none_of_that():
    begun = {"subscribedAt": lambda n: START - timedelta(days=40 + n)}
    ended = _callers(**begun, canceledAt=lambda n: START - timedelta(days=n % 9))
    guesses = _with_standins(ended)
    assert not guesses["hero_passes"].is_active
    left = _callers(**begun, canceledAt=lambda n: None if n % 3 else START)
    left["passes"] = [
        {"_id": n, "customerId": n, "soldAt": START, "startsAt": START, "endsAt": START + timedelta(days=30)}
        for n in range(90)
    ]  # fmt: skip
    guesses = _with_standins(left)
    assert guesses["hero_passes"].frame.place == "passes"


def test_a_length_of_an_account_is_a_tenure_and_what_is_measured_of_persons_a_factor():
    shape = _callers(account_length=lambda n: n % 50, churn=lambda n: ("yes", "no")[n % 2])
    found = explored(shape).collections
    text = draft_yaml(with_standins(draft_map(found), found, TODAY), "UTC")
    assert (
        "    # factors: {total_day_minutes: total_day_minutes, service_calls_number: service_calls_number}"
        in text
    )
    assert text.count("minus: {months: account_length}") == 3
    assert "product: plan" in text


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("streamingTV", "streaming_tv"),
        ("ISOCode", "iso_code"),
        ("Номер телефона", "номер_телефона"),
        ("a.b", "a_b"),
    ],
)
def test_a_key_is_written_as_a_name_of_the_map(key, name):
    assert snake(key) == name


@pytest.mark.parametrize("shape", [crm(), embedded(), club()], ids=["crm", "embedded", "club"])
def test_where_there_are_persons_and_passes_nothing_stands_in(shape):
    found = explored(shape).collections
    assert with_standins(draft_map(found), found, TODAY) == draft_map(found)


def test_a_gym_with_names_in_portuguese_is_drafted_whole():
    guesses = drafted(academia())
    day = {"format": "%d/%m/%Y"}
    assert specs(guesses["users"]) == {
        "user_id": "_id", "club_id": "unidade", "birth_date": {"path": "dataNascimento", **day},
        "registered_at": {"path": "dataCadastro", "format": "%d/%m/%Y %H:%M:%S"},
        "sex": {"path": "sexo", "values": {"F": "female", "M": "male", "N/A": None}},
    }  # fmt: skip
    assert dict(guesses["users"].personal) == {"nome_completo": "nomeCompleto", "cpf": "cpf"}
    assert specs(guesses["hero_passes"]) == {
        "hp_id": "_id", "user_id": "alunoId", "product": "plano", "currency": "moeda",
        "price": {"path": "valor", "decimal": ","}, "purchased_at": {"path": "dataVenda", **day},
        "starts_at": {"path": "dataInicio", **day}, "ends_at": {"path": "dataFim", **day},
        "cancelled_at": {"path": "dataCancelamento", **day},
        "payment_status": {"path": "statusPagamento", "values": {"PAGO": "paid", "INADIMPLENTE": "failed"}},
    }  # fmt: skip
    assert guesses["bookings"].frame.place == "acessos"
    assert all(guesses[name].is_active for name in ("users", "hero_passes", "bookings"))


def test_an_element_that_says_when_it_happened_is_not_of_the_day_of_its_document():
    assert specs(drafted(boxes())["freezes"]) == {
        "hp_id": "_id", "requested_at": "skips.skippedOn", "starts_at": "skips.from", "ends_at": "skips.until",
    }  # fmt: skip


ISO = {"format": "iso"}


def test_rows_that_were_copied_from_tables_go_by_the_numbers_of_these():
    guesses = drafted(sql_copy())
    assert specs(guesses["users"])["user_id"] == specs(guesses["hero_passes"])["hp_id"] == "id"
    assert specs(guesses["hero_passes"])["user_id"] == "user_id"
    assert specs(guesses["freezes"])["hp_id"] == "subscription_id"


def test_what_extended_json_wraps_is_drafted_by_the_name_before_it():
    assert specs(drafted(wrapped())["hero_passes"]) == {
        "hp_id": "_id", "user_id": "user.$oid", "price": "price.$numberDecimal",
        "purchased_at": {"path": "boughtAt.$date", **ISO}, "starts_at": {"path": "startsAt.$date", **ISO},
        "ends_at": {"path": "endsAt.$date", **ISO},
    }  # fmt: skip


def test_contracts_with_names_in_german_are_drafted_whole():
    guesses = drafted(vertraege())
    assert specs(guesses["hero_passes"]) == {
        "hp_id": "_id", "user_id": "kundennummer", "product": "tarif", "price": {"path": "preis", "decimal": ","},
        "purchased_at": {"path": "abgeschlossenAm", **ISO}, "starts_at": {"path": "beginn", **ISO},
        "ends_at": {"path": "ende", **ISO}, "cancelled_at": {"path": "gekuendigtAm", **ISO},
        "cancel_reason": "kuendigungsgrund",
    }  # fmt: skip
    assert set(dict(guesses["users"].personal)) == {"vorname", "nachname"}


@pytest.mark.parametrize(
    ("plans", "months"),
    [
        (("month", "year"), "{path: plan.interval, values: {month: 1, year: 12}}"),
        (("a", "year"), "1"),
    ],
)
def test_passes_without_an_end_are_told_to_repeat_in_the_rhythm_that_they_say(plans, months):
    contracts = [
        {"_id": n, "client_id": n, "startAt": START, "endAt": START if n % 2 else None,
         "plan": {"interval": plans[n % 2]}}
        for n in range(60)
    ]  # fmt: skip
    end = drafted({**crm(), "abonements": contracts})["hero_passes"].field("ends_at")
    assert f"add `repeat: {{months: {months}}}`" in end.notes[0]
