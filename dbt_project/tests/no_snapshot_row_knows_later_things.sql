-- A row is a snapshot that knows what had not happened by the end of its day: a pass bought later, a renewal
-- bought later, a freeze of days to come, a visit of tomorrow. Models would learn from the future.
-- Looks at the days of the run.

with snapshots as (
    select * from {{ ref('member_snapshot') }}
    where as_of_date between {{ window_start() }} and {{ window_end() }}
),

passes as (
    select * from {{ ref('core_hp_period') }}
),

purchases as (
    select
        snapshots.as_of_date,
        snapshots.user_id,
        count(*) filter (where passes.hp_id = snapshots.hp_id) as own_count,
        count(*) filter (where passes.hp_id <> snapshots.hp_id and passes.starts_on >= own.starts_on)
            as next_count
    from snapshots
    inner join passes as own on snapshots.hp_id = own.hp_id
    inner join passes
        on snapshots.user_id = passes.user_id and passes.purchased_on <= snapshots.as_of_date
    group by snapshots.as_of_date, snapshots.user_id
)

select snapshots.as_of_date, snapshots.user_id, snapshots.hp_id
from snapshots
inner join passes as own on snapshots.hp_id = own.hp_id
left join purchases
    on snapshots.as_of_date = purchases.as_of_date and snapshots.user_id = purchases.user_id
where coalesce(purchases.own_count, 0) <> 1
    or (snapshots.is_already_renewed and purchases.next_count = 0)
    or snapshots.days_to_end < 0
    or snapshots.tenure_days < 0
    or snapshots.days_since_last_visit < 0
    or snapshots.freeze_days_used > snapshots.as_of_date - own.starts_on + 1
