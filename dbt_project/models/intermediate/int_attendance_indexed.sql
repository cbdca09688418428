{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['calendar_date']}],
        pre_hook="{{ delete_where('calendar_date between ' ~ window_start() ~ ' and ' ~ window_end()) }}",
    )
}}

with visits as (
    select * from {{ ref('int_daily_visits') }}
),

-- The first day of visits, as each step back became known.
first_visits as (
    select known_on, min(min(activity_date)) over (order by known_on) as first_visit_on
    from visits
    group by known_on
),

bounds as (
    select
        first_visit_on,
        min(known_on) as from_on,
        lead(min(known_on), 1, date '9999-12-31') over (order by first_visit_on desc) as until_on
    from first_visits
    group by first_visit_on
),

days as (
    select
        day::date as calendar_date,
        least(day::date - bounds.first_visit_on + 1, 364) as history_days
    from generate_series(
        greatest((select min(from_on) from bounds), {{ window_start() }}), {{ window_end() }}, interval '1 day'
    ) as day
    inner join bounds on bounds.from_on <= day and day < bounds.until_on
),

-- Each day sees the visits as they were known at its own end.
trailing_visits as (
    select
        days.calendar_date,
        days.history_days,
        sum(visits.visit_count) filter (where visits.activity_date = days.calendar_date)::int as visit_count,
        sum(visits.visit_count) filter (where visits.activity_date > days.calendar_date - 28) as visits_28d,
        sum(visits.visit_count) as visits_364d
    from days
    left join visits
        on visits.activity_date between days.calendar_date - 363 and days.calendar_date
        and visits.known_on <= days.calendar_date
    group by days.calendar_date, days.history_days
),

final as (
    select
        calendar_date,
        coalesce(visit_count, 0) as visit_count,
        case when history_days >= 182 then
            (coalesce(visits_28d, 0) / 28.0 / nullif(visits_364d::numeric / history_days, 0))::float8
        end as attendance_index
    from trailing_visits
)

select * from final
