-- A row is a person-week whose days at risk are not 1 to 7, or do not fit between its start and its stop:
-- hazards would be per something else than a week.

select *
from {{ ref('interval_hp') }}
where not (
    exposure > 0
    and exposure <= 1
    and start_day >= 0
    and stop_day - start_day <= 7
    and stop_day - start_day >= exposure * 7 - 0.001
)
