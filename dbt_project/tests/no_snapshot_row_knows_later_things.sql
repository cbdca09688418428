-- A row is a snapshot that knows what had not happened by the end of its day: a pass bought later, a renewal
-- bought later, a freeze of days to come, a visit of tomorrow. Models would learn from the future.
-- Looks at the days of the run. What a pass said then is asked of its versions: it may have been moved since.

with snapshots as (
    select * from {{ ref('member_snapshot') }}
    where as_of_date between {{ window_start() }} and {{ window_end() }}
),

passes as (
    select
        snapshots.as_of_date,
        snapshots.user_id,
        versions.hp_id = snapshots.hp_id as is_own,
        versions.starts_on,
        versions.covers_at_most_until_on
    from snapshots
    inner join {{ ref('int_hero_passes_versioned') }} as versions
        on snapshots.user_id = versions.user_id
        and {{ is_known('versions', 'snapshots.as_of_date') }}
        and versions.purchased_on <= snapshots.as_of_date
),

purchases as (
    select
        as_of_date,
        user_id,
        count(*) filter (where is_own) as own_count,
        min(starts_on) filter (where is_own) as own_starts_on,
        max(covers_at_most_until_on) filter (where not is_own) as others_end_on
    from passes
    group by as_of_date, user_id
)

select snapshots.as_of_date, snapshots.user_id, snapshots.hp_id
from snapshots
left join purchases
    on snapshots.as_of_date = purchases.as_of_date and snapshots.user_id = purchases.user_id
where coalesce(purchases.own_count, 0) <> 1
    or (snapshots.is_already_renewed and (purchases.others_end_on > snapshots.hp_end_corrected) is not true)
    or snapshots.days_to_end < 0
    or snapshots.tenure_days < 0
    or snapshots.days_since_last_visit < 0
    or snapshots.freeze_days_used > snapshots.as_of_date - purchases.own_starts_on + 1
