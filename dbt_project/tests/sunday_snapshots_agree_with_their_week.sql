-- A row is a Sunday's snapshot that differs from the week which that Sunday ends: training and weekly reports
-- would tell two stories. Looks at the days of the run. Only a warning: facts that arrive late enter a week
-- that is rebuilt, and leave a snapshot that is not.
{{ config(severity='warn') }}

{%- set metrics = active_metrics() %}

select snapshots.as_of_date, snapshots.user_id
from {{ ref('member_snapshot') }} as snapshots
inner join {{ ref('fact_user_week') }} as weeks
    on snapshots.user_id = weeks.user_id and weeks.week_start = snapshots.as_of_date - 6
where snapshots.as_of_date between {{ window_start() }} and {{ window_end() }}
    and extract(isodow from snapshots.as_of_date) = 7
    and (
        false
        {%- for metric in metrics %}
        or snapshots.{{ metric.feature }} is distinct from weeks.{{ metric.feature }}
        or snapshots.{{ metric.feature }}_ewma is distinct from weeks.{{ metric.feature }}_ewma
        {%- endfor %}
    )
