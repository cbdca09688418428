-- A row is a spell that ends more than once, or goes on after its end: a member would be counted as lost
-- and stay at risk.

with weeks as (
    select
        spell_id,
        week_start,
        event,
        max(week_start) over (partition by spell_id) as last_week
    from {{ ref('interval_hp') }}
)

select spell_id
from weeks
group by spell_id
having count(*) filter (where event) > 1
    or bool_or(event and week_start < last_week)
