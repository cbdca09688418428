with targets as (
    select * from {{ ref('int_exposed_weeks') }}
    where {{ in_window_weeks() }}
),

visit_spreads as (
    select * from {{ ref('int_week_attendance') }}
    where {{ in_window_weeks() }}
),

{{ last_visits('targets') }},

final as (
    select *, {{ week_of('window_end') }} as week_start
    from last_visits
)

select * from final
{{ stored_by('week_start') }}
