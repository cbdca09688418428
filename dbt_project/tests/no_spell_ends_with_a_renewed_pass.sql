-- A row is a pass that counts as renewed in time although the member left at its end: labels and intervals would
-- tell two stories of one member.

with passes as (
    select *, max(hp_end_corrected) over (partition by spell_id) as spell_ends_on
    from {{ ref('core_hp_period') }}
    where has_coverage
),

lost_spells as (
    select spell_id
    from {{ ref('interval_hp') }}
    where event
)

select passes.hp_id
from passes
inner join lost_spells on passes.spell_id = lost_spells.spell_id
where passes.hp_end_corrected = passes.spell_ends_on
    and passes.renewed_on <= passes.hp_end_corrected + {{ var('grace_days') }}
