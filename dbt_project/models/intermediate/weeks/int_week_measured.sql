-- Week by week what became known in it: mostly of the week itself, late arrivals of weeks before.
with {{ weeks_bounds() }},

user_days as (
    select
        *,
        {{ week_of('known_on') }} as week_start,
        {{ week_of('activity_date') }} as activity_week_start
    from {{ ref('int_user_days_measured') }}
    where {{ 'true' if opens_at_the_beginning() else
        'known_on between (select window_start from bounds) and (select window_end from bounds)' }}
),

final as (
    select
        user_id,
        activity_week_start,
        least(week_start + 6, (select {{ horizon() }})) as window_end,
        {{ summed_measures() }},
        week_start
    from user_days
    group by user_id, activity_week_start, week_start
)

select * from final
{{ stored_by('week_start') }}
