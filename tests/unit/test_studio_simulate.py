"""The demo studio as a reader of its files sees it: plausible, reproducible, calibrated."""

import functools
import hashlib
import itertools
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import bson
import numpy as np
import polars as pl
import pytest
import yaml

from ris_assets.contracts.entities import ENTITIES, FACTORS
from ris_assets.errors import RisError
from ris_assets.studio import simulate as simulate_module
from ris_assets.studio.config import StudioConfig
from ris_assets.studio.simulate import simulate
from ris_assets.studio.world import CLASS_MINUTES

ZONE = ZoneInfo("Asia/Almaty")
LAST_DAY = date(2024, 6, 30)
SMALL = StudioConfig(members=60, weeks=30, seed=3, end_date=LAST_DAY)
LARGE = StudioConfig(members=900, weeks=60, seed=4, end_date=LAST_DAY)
CROWD = StudioConfig(members=4_000, weeks=60, seed=6, end_date=LAST_DAY)
SOURCE_MAP = Path(simulate_module.__file__).with_name("source_map.yaml")
MAY_LIE_AHEAD = {"startsAt", "endsAt", "from", "to"}


@functools.cache
def read(studio: Path, collection: str) -> list[dict[str, Any]]:
    path = studio / "dump" / "hero_studio" / f"{collection}.bson"
    return bson.decode_all(path.read_bytes())


def local(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC).astimezone(ZONE)


def files_of(studio: Path) -> dict[str, str]:
    return {
        str(path.relative_to(studio)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(studio.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("studio") / "small"
    simulate(SMALL, out)
    return out


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("studio") / "large"
    simulate(LARGE, out)
    return out


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More members, for the tests that count."""
    out = tmp_path_factory.mktemp("studio") / "crowd"
    simulate(CROWD, out)
    return out


@pytest.fixture(scope="module")
def passes(large: Path) -> pl.DataFrame:
    return outcomes(large)


def outcomes(studio: Path) -> pl.DataFrame:
    """Each paid pass with its corrected end and the days to the next purchase, from documents."""
    frozen: Counter[Any] = Counter()
    for freeze in read(studio, "freezes"):
        if "calledOffAt" not in freeze and freeze["to"]:
            frozen[freeze["passId"]] += (freeze["to"] - freeze["from"]).days
    rows = []
    paid = [row for row in read(studio, "heroPasses") if row["payment"]["state"] != "DECLINED"]
    paid.sort(key=lambda row: (row["userId"], row["purchasedAt"]))
    for row, following in itertools.pairwise([*paid, {"userId": None}]):
        planned = local(row["endsAt"]).date() + timedelta(days=frozen[row["_id"]] - 1)
        cancelled = row.get("cancellation", {}).get("at")
        end = min(planned, local(cancelled).date()) if cancelled else planned
        is_same = following["userId"] == row["userId"]
        bought = local(following["purchasedAt"]).date() if is_same else None
        rows.append({"hp_id": str(row["_id"]), "start": local(row["startsAt"]).date(), "end": end,
                     "planned": planned, "next_bought": bought,
                     "lead": (bought - end).days if bought else None})  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


def test_the_same_config_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    simulate(SMALL, tmp_path / "again")
    assert files_of(tmp_path / "again") == files_of(small)


def test_another_seed_gives_another_studio(small: Path, tmp_path: Path) -> None:
    other = StudioConfig(members=60, weeks=30, seed=5, end_date=LAST_DAY)
    simulate(other, tmp_path / "other")
    assert files_of(tmp_path / "other")["truth.parquet"] != files_of(small)["truth.parquet"]


def test_nothing_lies_after_the_last_day(large: Path) -> None:
    midnight = datetime.combine(LAST_DAY + timedelta(days=1), time(0), tzinfo=ZONE)
    end = midnight.astimezone(UTC).replace(tzinfo=None)  # as documents tell their instants
    for path in (large / "dump" / "hero_studio").glob("*.bson"):
        for document in read(large, path.stem):
            for name, value in document.items():
                if isinstance(value, datetime) and name not in MAY_LIE_AHEAD:
                    assert value < end, (path.name, name, document)


def test_only_classes_not_yet_held_are_open(large: Path) -> None:
    end = datetime.combine(LAST_DAY + timedelta(days=1), time(0), tzinfo=ZONE)
    seen = {(row["startsAt"].replace(tzinfo=UTC) >= end, row["status"])
            for row in read(large, "bookings")}  # fmt: skip
    assert (True, "ACTIVE") in seen and (False, "ACTIVE") not in seen
    assert not seen & {(True, "DONE"), (True, "MISSED")}


@pytest.mark.parametrize("month", [(2024, 2), (2024, 3)])
def test_classes_keep_their_local_hours_when_the_zone_changes(
    large: Path, month: tuple[int, int]
) -> None:
    starts = {local(instant) for instant in {row["startsAt"] for row in read(large, "bookings")}}
    minutes = {s.hour * 60 + s.minute for s in starts if (s.year, s.month) == month}
    assert minutes == set(CLASS_MINUTES.tolist())


@pytest.mark.parametrize(
    ("collection", "field"),
    [("heroPasses", "startsAt"), ("heroPasses", "endsAt"), ("dailySteps", "day")],
)
def test_days_begin_at_local_midnight(large: Path, collection: str, field: str) -> None:
    instants = {row[field] for row in read(large, collection)}
    assert {local(instant).time() for instant in instants} == {time(0)}


def test_a_booking_lies_on_a_covered_day_of_its_pass(large: Path, passes: pl.DataFrame) -> None:
    span = {row["hp_id"]: (row["start"], row["end"]) for row in passes.to_dicts()}
    for row in read(large, "bookings"):
        first, last = span[str(row["passId"])]
        assert row["bookedAt"] < row["startsAt"]
        assert first <= local(row["startsAt"]).date() <= last


def test_some_members_buy_and_never_come(large: Path) -> None:
    buyers = {row["userId"] for row in read(large, "heroPasses")}
    came = {row["userId"] for row in read(large, "bookings") if row["status"] == "DONE"}
    assert 0.01 < len(buyers - came) / len(buyers) < 0.10


def test_the_ways_of_a_pass_all_occur(large: Path, passes: pl.DataFrame) -> None:
    documents = read(large, "heroPasses")
    assert {row["payment"]["state"] for row in documents} == {"PAID", "DECLINED", "REFUNDED"}
    assert {row["product"]["days"] for row in documents} == {7, 30, 90, 180, 365}
    assert any(row["isTrial"] for row in documents)
    freezes = read(large, "freezes")
    assert any(row["to"] is None for row in freezes)
    assert any("calledOffAt" in row for row in freezes)
    leads = passes["lead"].drop_nulls()
    for low, high in ((-10, -1), (0, 0), (1, 30), (31, 60), (61, 90), (91, 400)):
        assert leads.is_between(low, high).any(), (low, high)


def test_passes_of_a_member_do_not_overlap(passes: pl.DataFrame) -> None:
    assert passes.filter(pl.col("lead") < -10).is_empty()
    assert passes.filter(pl.col("next_bought") < pl.col("start")).is_empty()


def test_ids_are_unique_and_references_hold(large: Path) -> None:
    users = {row["_id"] for row in read(large, "users")}
    sold = {row["_id"] for row in read(large, "heroPasses")}
    for path in (large / "dump" / "hero_studio").glob("*.bson"):
        documents = read(large, path.stem)
        assert len({row["_id"] for row in documents}) == len(documents)
        assert {row["userId"] for row in documents if "userId" in row} <= users
        assert {row["passId"] for row in documents if "passId" in row} <= sold
    assert len(users) == LARGE.members


@pytest.mark.parametrize("days", [30, 60, 90])
def test_renewals_agree_with_the_true_probabilities(crowd: Path, days: int) -> None:
    """Overall, just before the end, and in each fifth of p: within 4 standard errors.

    Passes are the clusters.
    """
    truth = pl.read_parquet(crowd / "truth.parquet").join(outcomes(crowd), on="hp_id")
    truth = truth.filter(pl.col("planned") + timedelta(days=days) <= LAST_DAY)
    chance = pl.col(f"p_renew_{days}d")
    miss = truth.select(
        "hp_id",
        "end",
        fifth=(chance * 5).cast(pl.Int8),
        is_near=pl.col("as_of_date") > pl.col("planned") - timedelta(days=5),
        is_bought=chance == 1,
        miss=(pl.col("lead") <= days).fill_null(False).cast(pl.Float64) - chance,
    )
    near = miss.filter("is_near", ~pl.col("is_bought"))
    for group in [miss, near, *miss.partition_by("fifth")]:
        by_pass = group.group_by("hp_id").agg(pl.col("miss").sum())["miss"].to_numpy()
        assert abs(by_pass.sum()) < 4 * np.sqrt((by_pass**2).sum()) + 1e-9


def test_the_truth_has_every_covered_sunday_once(large: Path, passes: pl.DataFrame) -> None:
    truth = pl.read_parquet(large / "truth.parquet")
    assert truth.select("hp_id", "as_of_date").is_duplicated().sum() == 0
    open_ended = {str(row["passId"]) for row in read(large, "freezes") if row["to"] is None}
    for row in passes.filter(~pl.col("hp_id").is_in(list(open_ended))).to_dicts()[:500]:
        last = row["end"] - timedelta(days=row["end"] != row["planned"])
        days = pl.date_range(row["start"], min(last, LAST_DAY), eager=True)
        expected = days.filter(days.dt.weekday() == 7).to_list() if len(days) else []
        found = truth.filter(hp_id=row["hp_id"])["as_of_date"].sort().to_list()
        assert found == expected


def test_a_bought_renewal_is_certain_and_chances_grow_with_the_horizon(
    large: Path, passes: pl.DataFrame
) -> None:
    truth = pl.read_parquet(large / "truth.parquet").join(passes, on="hp_id")
    bought = (pl.col("next_bought") <= pl.col("as_of_date")).fill_null(False)
    assert truth.filter(bought)["p_renew_30d"].unique().to_list() == [1.0]
    unbought = truth.filter(~bought)
    assert unbought["p_renew_30d"].is_between(0, 1, closed="none").all()
    assert (unbought["p_renew_30d"] < unbought["p_renew_60d"]).all()
    assert (unbought["p_renew_60d"] < unbought["p_renew_90d"]).all()


def test_the_renewal_rate_is_that_of_a_living_studio(passes: pl.DataFrame) -> None:
    known = passes.filter(pl.col("planned") + timedelta(days=30) <= LAST_DAY)
    rate = (known["lead"] <= 30).fill_null(False).mean()
    assert 0.66 < rate < 0.78


def source_map() -> dict[str, Any]:
    return yaml.safe_load(SOURCE_MAP.read_text(encoding="utf-8"))["entities"]


def values_at(document: Any, path: str) -> list[Any]:
    """All values under a dotted path, arrays spread; nothing where the path breaks off."""
    if isinstance(document, list):
        return [value for element in document for value in values_at(element, path)]
    head, _, rest = path.partition(".")
    if not isinstance(document, dict) or document.get(head) is None:
        return []
    return values_at(document[head], rest) if rest else [document[head]]


def test_the_source_map_maps_every_field_of_every_entity() -> None:
    mapped = source_map()
    assert set(mapped) == set(ENTITIES)
    for name, entity in ENTITIES.items():
        wanted = {column.name for column in entity.fields}
        # The demo sells no family passes, a cancellation stands in its pass, and all that it knows has a field.
        wanted -= {"buyer_id", "freeze_days_allowed", "is_cancellation", FACTORS}
        if "explode" in mapped[name]:
            wanted.discard(entity.id_field)
        assert set(mapped[name]["fields"]) == wanted, name


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_the_source_map_finds_its_fields_and_translates_every_word(
    large: Path, entity: str
) -> None:
    mapped = source_map()[entity]
    documents = read(large, mapped["collection"])
    for key, value in mapped.get("filter", {}).items():
        documents = [row for row in documents if row[key] == value]
    for name, spec in mapped["fields"].items():
        path, words = (spec, None) if isinstance(spec, str) else (spec["path"], spec.get("values"))
        found = [value for row in documents for value in values_at(row, path)]
        assert found, f"{entity}.{name}"
        column = ENTITIES[entity].field(name)
        if words:
            assert set(found) == set(words), f"{entity}.{name}"
        if column.allowed:
            assert words and set(words.values()) <= set(column.allowed), f"{entity}.{name}"
        if column.required:
            assert len(found) >= len(documents), f"{entity}.{name}"


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    tiny = StudioConfig(members=5, weeks=3, end_date=LAST_DAY)
    summary = simulate(tiny, tmp_path / "tiny", lambda done, total, _: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert summary.documents["users"] == 5


def test_a_studio_is_replaced_and_anything_else_is_left_alone(tmp_path: Path) -> None:
    tiny = StudioConfig(members=5, weeks=3, end_date=LAST_DAY)
    out = tmp_path / "my studio"
    simulate(tiny, out)
    simulate(tiny, out)
    assert [path.name for path in tmp_path.iterdir()] == ["my studio"]
    (out / "studio.json").unlink()
    with pytest.raises(RisError, match="holds something else"):
        simulate(tiny, out)


@pytest.mark.parametrize("wrong", [{"members": 0}, {"weeks": 0}, {"timezone": "Asia/Nowhere"}])
def test_a_wrong_config_is_refused_in_one_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(RisError):
        StudioConfig(**wrong)
