"""Snapshots, labels and person-weeks as typed frames: training and scoring read through here.

No statistics: which rows and columns, not what to make of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from ris_assets.errors import RisError
from ris_assets.features.matrix import catalog_columns
from ris_assets.features.training_rows import GRACE_DAYS, LABELS
from ris_assets.resources.postgres import PostgresResource

CATALOG_COLUMNS = ("feature", "feature_group", "source_entity", "unit", "risk_direction",
                   "label_en", "label_ru", "reason_en", "reason_ru", "value_format",
                   "is_active")  # fmt: skip
KEY_COLUMNS = ("as_of_date", "user_id", "hp_id", "spell_id", "is_already_renewed", "currency",
               "price", "pass_days", "pass_number", "days_to_end", "spell_weeks",
               "tenure_days")  # fmt: skip
WEEK_COLUMNS = ("spell_id", "week_start", "week_number", "exposure", "event",
                "days_to_end_at_start", "matures_on")  # fmt: skip
SUNDAY = 7
DAYS_TO_KNOW = 7 + GRACE_DAYS
"""From a Sunday on until what becomes of the week after it must be known: the week and the grace."""


@dataclass(frozen=True)
class Snapshots:
    """The snapshot table, with the catalogue that says which of its columns models may read."""

    postgres: PostgresResource

    def catalog(self) -> pl.DataFrame:
        """The feature catalogue, and a row for each factor of the business's own."""
        return self._catalog_with(self._factors())

    def _catalog_with(self, factors: pl.DataFrame) -> pl.DataFrame:
        listed = self.postgres.read(
            f"select {', '.join(CATALOG_COLUMNS)} from ris.meta_feature_catalog order by feature"
        )
        reason = pl.col("label") + ": {value}"
        own = factors.select(
            "feature",
            pl.lit("internal").alias("feature_group"),
            "source_entity",
            pl.lit(None, pl.String).alias("unit"),
            pl.lit("none").alias("risk_direction"),
            *(pl.col("label").alias(f"label_{language}") for language in ("en", "ru")),
            *(reason.alias(f"reason_{language}") for language in ("en", "ru")),
            pl.lit(None, pl.String).alias("value_format"),
            pl.lit(True).alias("is_active"),
        )
        return pl.concat([listed, own.cast(listed.schema)])

    def _factors(self) -> pl.DataFrame:
        """The factors of the business's own: feature, source_entity, label, and the expression that reads it."""
        if self.postgres.row_count("ris", "meta_factor") is None:
            return pl.DataFrame(
                schema=dict.fromkeys(("feature", "source_entity", "label", "expression"), pl.String)
            )
        return self.postgres.read(
            "select feature, source_entity, label, expression from ris.meta_factor order by feature"
        )

    def _kinds(self, table: str) -> dict[str, str]:
        """The columns of a mart, and of what type they are."""
        found = self.postgres.read(
            "select column_name::text as name, data_type::text as kind from information_schema.columns"
            f" where table_schema = 'ris' and table_name = '{table}'"
        )
        return dict(found.iter_rows())

    def horizon(self) -> date:
        """The last studio day that is completely extracted.

        Raises:
            RisError: nothing has been extracted yet.
        """
        day = None
        if self.postgres.row_count("ris_raw", "extraction_log"):
            log = self.postgres.read("select max(through_day) as day from ris_raw.extraction_log")
            day = log["day"][0]
        if day is None:
            raise RisError("nothing has been extracted yet: load documents first with `ris run`")
        return day

    def built_through(self) -> date | None:
        """The last day on which anybody was active of those that have been built; None before the first."""
        if self.postgres.row_count("ris", "member_snapshot") is None:
            return None
        return self.postgres.read("select max(as_of_date) as day from ris.member_snapshot")["day"][
            0
        ]

    def on_days(self, first: date, last: date) -> pl.DataFrame:
        """Snapshot rows of a closed range of days, ordered by day and member."""
        return self.postgres.read(
            f"select {self._select()} from ris.member_snapshot s"
            f" where s.as_of_date between '{first}' and '{last}' order by s.as_of_date, s.user_id"
        )

    def filled_days(self, first: date, last: date) -> set[date]:
        """The days of a closed range that have members."""
        found = self.postgres.read(
            "select distinct as_of_date as day from ris.member_snapshot"
            f" where as_of_date between '{first}' and '{last}'"
        )
        return set(found["day"])

    def labelled(self, as_of: date, max_rows: int) -> pl.DataFrame:
        """Sundays' rows whose 30-day label must be known by `as_of`, labels beside them.

        With more than `max_rows` rows whole passes are left out, by a hash of their id.
        """
        labels = ", ".join(f"l.{label}" for label in LABELS)
        source = (
            "ris.member_snapshot s join ris.label_hp l on l.hp_id = s.hp_id"
            f" where extract(isodow from s.as_of_date) = {SUNDAY} and l.matures_30d_on <= '{as_of}'"
        )
        thinned = self._thinned(source, "s.hp_id", max_rows)
        return self.postgres.read(f"select {self._select()}, {labels} from {thinned}")

    def person_weeks(self, as_of: date, max_rows: int) -> pl.DataFrame:
        """Weeks at risk that are mature by `as_of`, beside the snapshot of the day before each.

        The first week of a spell has no snapshot: its snapshot columns are null. `ended_by` says how the pass ended
        of a week in which the spell did.
        """
        weeks = ", ".join(f"i.{column}" for column in WEEK_COLUMNS)
        source = (
            "ris.interval_hp i left join ris.member_snapshot s"
            " on s.user_id = i.user_id and s.as_of_date = i.week_start - 1"
            " left join ris.core_hp_period p on p.hp_id = i.hp_id"
            f" where i.matures_on <= '{as_of}' and i.event is not null"
        )
        thinned = self._thinned(source, "i.spell_id", max_rows)
        snapshot = self._select(without=("spell_id",))
        return self.postgres.read(
            f"select {weeks}, case when i.event then p.how_ended end as ended_by, {snapshot}"
            f" from {thinned} order by i.matures_on, i.week_start, i.spell_id"
        )

    def frozen_weeks(self, as_of: date, spells: pl.Series) -> pl.DataFrame:
        """Weeks on a pass that were frozen altogether, of some spells, as `person_weeks`: nobody is at risk in them.

        They teach a hazard nothing, but who is asked on the day before one is asked as well.
        """
        snapshot = self._select(without=("spell_id",))
        frozen = self.postgres.read(
            "select distinct on (s.user_id, s.as_of_date) p.spell_id, s.as_of_date + 1 as week_start,"
            " (s.as_of_date + 1 - date_trunc('week', p.spell_starts_on)::date) / 7 as week_number,"
            " 0::float8 as exposure, false as event, p.hp_end_corrected - s.as_of_date as days_to_end_at_start,"
            f" s.as_of_date + {DAYS_TO_KNOW} as matures_on, null::text as ended_by, {snapshot}"
            " from ris.member_snapshot s join ris.core_hp_period p on p.user_id = s.user_id and p.has_coverage"
            " and s.as_of_date + 1 between p.starts_on and p.hp_end_corrected"
            f" where extract(isodow from s.as_of_date) = {SUNDAY} and s.as_of_date + {DAYS_TO_KNOW} <= '{as_of}'"
            " and not exists (select from ris.interval_hp i"
            " where i.user_id = s.user_id and i.week_start = s.as_of_date + 1)"
            " order by s.user_id, s.as_of_date, p.hp_end_corrected desc"
        )
        return frozen.filter(pl.col("spell_id").is_in(spells.implode()))

    def first_of_spells(self, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of the first Sunday's snapshot of every spell, beside spell_id."""
        own = _expressions(self._factors())
        wanted = ", ".join(
            ["spell_id", *(f'{own[c]} as "{c}"' if c in own else c for c in columns)]
        )
        return self.postgres.read(
            f"select distinct on (spell_id) {wanted} from ris.member_snapshot s"
            f" where extract(isodow from as_of_date) = {SUNDAY} order by spell_id, as_of_date"
        )

    def _thinned(self, source: str, unit: str, max_rows: int) -> str:
        """The source, with enough units left out to hold about `max_rows` rows."""
        rows = self.postgres.read(f"select count(*) as rows from {source}")["rows"][0]
        if rows <= max_rows:
            return source
        kept = int(1000 * max_rows / rows)
        return f"{source} and abs(hashtext({unit}) % 1000) < {kept}"

    def _select(self, without: tuple[str, ...] = ()) -> str:
        """Key and feature columns as SQL; `numeric` as float8, which is what frames can hold."""
        kinds, factors = self._kinds("member_snapshot"), self._factors()
        columns = catalog_columns(self._catalog_with(factors))
        own = _expressions(factors)
        known = kinds.keys() | own.keys()
        wanted = dict.fromkeys([*KEY_COLUMNS, *(name for name in columns if name in known)])
        missing = [name for name in {*KEY_COLUMNS, *columns.values()} if name not in known]
        if missing:
            raise RisError(
                f"ris.member_snapshot lacks {', '.join(sorted(missing))}: build the marts first, `ris run`"
            )
        exact = {n: f's."{n}"::float8' for n, kind in kinds.items() if kind == "numeric"} | own
        return ", ".join(
            f'{exact[name]} as "{name}"' if name in exact else f's."{name}"'
            for name in wanted
            if name not in without
        )


def _expressions(factors: pl.DataFrame) -> dict[str, str]:
    """What reads each factor from a row of member_snapshot, by feature."""
    return dict(factors.select("feature", "expression").iter_rows())
