with targets as (
    select * from {{ ref('int_exposed_weeks') }}
    where {{ in_window_weeks() }}
),

{{ last_visits('targets') }},

{{ last_coaches() }},

final as (
    select
        last_visits.user_id,
        last_visits.window_end,
        last_visits.last_visit_on,
        last_coaches.coach_id,
        {{ week_of('last_visits.window_end') }} as week_start
    from last_visits
    left join last_coaches
        on last_visits.user_id = last_coaches.user_id and last_visits.window_end = last_coaches.window_end
)

select * from final
