-- A row is a pass that counts as not renewed although its time is not over, or is undecided although it is:
-- models would learn from what nobody knows yet.

{%- for days in [30, 60, 90] %}
select hp_id, {{ days }} as horizon_days
from {{ ref('label_hp') }}
where (not renewed_{{ days }}d and not matured_{{ days }}d)
    or (renewed_{{ days }}d is null and matured_{{ days }}d)
{{ 'union all' if not loop.last }}
{%- endfor %}
