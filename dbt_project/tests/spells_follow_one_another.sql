-- A row is a spell of which a pass was bought before grace after the member's earlier spells was over: a renewal
-- in time was taken for a return.

with spells as (
    select user_id, spell_number, min(purchased_on) as bought_on, max(hp_end_corrected) as ends_on
    from {{ ref('core_hp_period') }}
    where has_coverage
    group by user_id, spell_number
)

select later.user_id, later.spell_number
from spells as later
inner join spells as earlier on later.user_id = earlier.user_id and later.spell_number > earlier.spell_number
where later.bought_on <= earlier.ends_on + {{ var('grace_days') }}
