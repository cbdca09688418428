"""Source maps: what they may say, what is refused, and in which words."""

import json
from pathlib import Path

import pytest

from ris_assets.errors import RisError
from ris_assets.extract.source_map import load_source_map, source_map_schema

PASSES = (
    "{collection: p, fields: {hp_id: a, user_id: b, purchased_at: c, starts_at: d, ends_at: e}}"
)
USERS = "{collection: u, fields: {user_id: _id, registered_at: createdAt}}"


def load(tmp_path: Path, text: str):
    path = tmp_path / "m.yaml"
    path.write_text(text)
    return load_source_map(path)


def with_users(fields: str, rest: str = "") -> str:
    users = f"{{collection: u, {rest} fields: {{user_id: _id, registered_at: at, {fields}}}}}"
    return f"entities: {{users: {users}, hero_passes: {PASSES}}}"


def test_the_smallest_map_has_users_and_passes(tmp_path):
    found = load(tmp_path, f"entities: {{users: {USERS}, hero_passes: {PASSES}}}")
    assert set(found.entities) == {"users", "hero_passes"}


def test_one_collection_needs_no_list_and_several_are_one(tmp_path):
    text = f"entities: {{users: [{USERS}, {USERS}], hero_passes: {PASSES}}}"
    found = load(tmp_path, text).entities
    assert (len(found["users"].sources), len(found["hero_passes"].sources)) == (2, 1)


def test_no_is_a_word_and_true_is_not(tmp_path):
    spec = load(tmp_path, with_users("goal: {path: g, values: {NO: none, true: some}}"))
    values = spec.entities["users"].sources[0].fields["goal"].values
    assert values == {"NO": "none", True: "some"}


def test_the_fingerprint_changes_with_the_map_of_the_entity_alone(tmp_path):
    one = load(tmp_path, with_users("city: a")).entities
    other = load(tmp_path, with_users("city: b")).entities
    assert one["users"].fingerprint != other["users"].fingerprint
    assert one["hero_passes"].fingerprint == other["hero_passes"].fingerprint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"entities: {{users: {USERS}}}", "mandatory entities are not mapped: hero_passes"),
        (
            f"entities: {{users: {USERS}, hero_passes: {PASSES}, pets: {USERS}}}",
            "unknown entity `pets`",
        ),
        ("entities: {users: {collection: u, fields: {user_id: _id}}}", "needs registered_at"),
        ("entities: {users: {collection: u, fields: {shoe_size: s}}}", "has no field shoe_size"),
        ("entities: {users: {fields: {}}}", r"entities\.users\.collection: is needed"),
        ("entities: {users: [{colection: u, fields: {}}]}", r"entities\.users\.collection: is"),
        ("entities: [", r"is not YAML: [^\n]*line [12][^\n]*\.$"),
        ("- users", "top level: must be keys with values"),
        (
            with_users("city: {pfad: a}"),
            r"entities\.users\.fields\.city\.pfad: there is no such key",
        ),
        (with_users("city: 5"), r"entities\.users\.fields\.city: must be a path, or keys"),
        (with_users("town: a"), "it has birth_date, city, clan_id"),
        (with_users("city: {path: a, value: b}"), "exactly one of `path`, `value` and `parent`"),
        (with_users("city: {path: a, otherwise: b}"), "`otherwise` needs `values`"),
        (with_users("weight_kg: {path: a, scale: 2, unit: g}"), "either `scale` or `unit`"),
        (with_users("weight_kg: {path: a, unit: stone}"), "unit"),
        (with_users("birth_date: {path: a, zone: Mars}"), "unknown time zone 'Mars'"),
        (with_users("city: a", "filter: {a: {$regex: b}},"), "only .* are known"),
        (
            with_users("city: {parent: {entity: payments, key: a, field: b}}"),
            "the parent must be one of hero_passes",
        ),
        (
            with_users("city: {parent: {entity: hero_passes, key: a, field: b}}"),
            "`hero_passes` has no field b",
        ),
        (with_users("birth_date: {path: a, format: d.m.y}"), "unknown format 'd.m.y'"),
        (with_users("birth_date: {path: a, plus: {days: 1}}"), "takes neither plus nor minus"),
        (with_users("has_trial: {value: maybe}"), "`users.has_trial` cannot be 'maybe'"),
        (
            with_users("has_trial: {path: a, values: {x: maybe}}"),
            "`users.has_trial` cannot be 'maybe'",
        ),
        (
            with_users("weight_kg: {path: a, values: {x: 1}, otherwise: much}"),
            "`users.weight_kg` cannot be 'much'",
        ),
        (with_users("weight_kg: {path: a, prefix: b}"), "is no text: it takes no prefix"),
        (with_users("city: a", "since: 2024-01-01,"), "`since` is for what a business may lack"),
        (with_users("city: a", "repeat: {months: 1},"), "`repeat` is for hero_passes"),
        (with_users("city: a", "repeat: {months: 1, days: 1},"), "exactly one of days, weeks"),
    ],
)
def test_a_wrong_map_ends_in_one_sentence_that_names_the_place(tmp_path, text, words):
    with pytest.raises(RisError, match=words):
        load(tmp_path, text)


def test_an_unreadable_map_names_its_path(tmp_path):
    with pytest.raises(RisError, match=r"absent\.yaml cannot be read"):
        load_source_map(tmp_path / "absent.yaml")


def test_the_schema_for_editors_knows_every_entity_and_both_ways_to_write_a_field():
    schema = source_map_schema()
    assert "users" in schema["properties"]["entities"]["properties"]
    for spec in ("FieldSpec", "FactorSpec", "AmountSpec"):
        kinds = [way.get("type") for way in schema["$defs"][spec]["anyOf"]]
        assert kinds == ["string", "object"]
    json.dumps(schema)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("factors: {Payment: p},", "Payment: write names of at most 40 small letters"),
        ("factors: {'a b': p},", "a b: write names"),
        ("factors: {a: 5},", "users.factors.a: must be a path, or keys with values"),
        ("factors: {a: {path: p, scale: 2}},", "users.factors.a.scale: there is no such key"),
    ],
)
def test_a_factor_has_a_name_that_a_column_can_have(tmp_path, rest, said):
    with pytest.raises(RisError, match=said):
        load(tmp_path, with_users("goal: g", rest))


def test_factors_are_of_users_and_passes_and_stand_in_a_list_of_their_own(tmp_path):
    of_passes = PASSES.replace("fields:", "factors: {plan: p}, fields:")
    found = load(tmp_path, f"entities: {{users: {USERS}, hero_passes: {of_passes}}}")
    (part,) = found.entities["hero_passes"].sources
    assert part.factors["plan"].path == "p"
    assert part.mapped[-1] == "factors"
    of_freezes = "{collection: f, factors: {a: b}, fields: {freeze_id: i, hp_id: h, requested_at: r, starts_at: s}}"
    with pytest.raises(RisError, match="`factors` are of users and hero_passes, not of `freezes`"):
        load(
            tmp_path, f"entities: {{users: {USERS}, hero_passes: {PASSES}, freezes: {of_freezes}}}"
        )
    with pytest.raises(RisError, match="no field factors"):
        load(tmp_path, with_users("factors: g"))


def test_a_name_is_a_factor_of_users_or_of_passes_but_not_of_both(tmp_path):
    own = "factors: {plan: p, city: c}, fields:"
    users, passes = (text.replace("fields:", own) for text in (USERS, PASSES))
    with pytest.raises(
        RisError, match="of users and of hero_passes have the same name: city, plan"
    ):
        load(tmp_path, f"entities: {{users: {users}, hero_passes: {passes}}}")
