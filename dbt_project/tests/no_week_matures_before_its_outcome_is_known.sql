-- A row counts as known while nobody can say yet whether the spell has ended: training would learn from it.

select spell_id, week_start
from {{ ref('interval_hp') }}
where event is null and is_matured
