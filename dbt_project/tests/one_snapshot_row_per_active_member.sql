-- A row is a member whom the exposure clock calls active at the end of the horizon and who has not exactly
-- one snapshot row of that day, or the other way round: a member would go without a score, or get two.
-- Says nothing while the day of the horizon has no snapshot, as in a backfill of older days.

with snapshot as (
    select user_id, count(*) as row_count
    from {{ ref('member_snapshot') }}
    where as_of_date = {{ horizon() }}
    group by user_id
),

active as (
    select distinct user_id
    from {{ ref('core_hp_period') }}
    where has_coverage and {{ horizon() }} between starts_on and hp_end_corrected
)

select coalesce(active.user_id, snapshot.user_id) as user_id, snapshot.row_count
from active
full join snapshot on active.user_id = snapshot.user_id
where (active.user_id is null or snapshot.row_count is distinct from 1)
    and exists (select 1 from snapshot)
