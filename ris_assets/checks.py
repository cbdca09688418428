"""Asset checks that are RIS's own. dbt's tests become checks by themselves."""

import dagster as dg

from ris_assets.contracts.entities import ENTITIES, Entity
from ris_assets.resources.postgres import PostgresResource

REJECTED_SHARE_LIMIT = 0.01


def _rejects_check(entity: Entity) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(["ris_raw", entity.name]),
        name="rejected_share",
        description="The share of rows refused by the last extraction is at most 1 %",
        blocking=True,
    )
    def rejected_share(postgres: PostgresResource) -> dg.AssetCheckResult:
        latest = postgres.read(
            "select rows_rejected::float8 as rejected, rows_read::float8 as read"
            f" from ris_raw.extraction_log where entity = '{entity.name}'"
            " order by finished_at desc limit 1"
        )
        rejected, read = latest.row(0) if latest.height else (0.0, 0.0)
        share = rejected / read if read else 0.0
        return dg.AssetCheckResult(
            passed=share <= REJECTED_SHARE_LIMIT,
            metadata={"rows_rejected": int(rejected), "rows_read": int(read), "share": share},
        )

    return rejected_share


def scores_cover_active_members() -> dg.AssetChecksDefinition:
    """One score for each active member of the last scored day: none lost, none twice."""

    @dg.asset_check(asset="model_scores_daily", description="One score an active member")
    def one_score_per_active_member(postgres: PostgresResource) -> dg.AssetCheckResult:
        counts = postgres.read(
            """
            with latest as (select max(score_date) as day from ris.model_scores_daily)
            select count(*)::float8 as members,
                   count(s.user_id)::float8 as scored
            from ris.member_snapshot m
            join latest on m.as_of_date = latest.day
            left join ris.model_scores_daily s
              on s.score_date = m.as_of_date and s.user_id = m.user_id
            """
        )
        members, scored = counts.row(0)
        return dg.AssetCheckResult(
            passed=members == scored,
            metadata={"active_members": int(members), "scored": int(scored)},
        )

    return one_score_per_active_member


def checks() -> list[dg.AssetChecksDefinition]:
    """All of RIS's own asset checks."""
    return [*map(_rejects_check, ENTITIES.values()), scores_cover_active_members()]
