{{ config(post_hook="{{ primary_key(['calendar_date']) }}") }}

with holidays as (
    select * from {{ source('ris_raw', 'holidays') }}
),

passes as (
    select * from {{ ref('int_hero_passes_versioned') }}
),

activity as (
    select * from {{ ref('int_user_days_measured') }}
),

attendance as (
    select * from {{ ref('int_attendance_indexed') }}
),

bounds as (
    select
        least(
            (select min(least(purchased_on, starts_on)) from passes),
            (select min(activity_date) from activity)
        ) - 30 as first_on,
        {{ horizon() }} + 400 as last_on
),

days as (
    select day::date as calendar_date
    from bounds
    cross join generate_series(bounds.first_on, bounds.last_on, interval '1 day') as day
),

final as (
    select
        days.calendar_date,
        {{ week_of('days.calendar_date') }} as week_start,
        extract(month from days.calendar_date)::int as month,
        {{ season('days.calendar_date') }} as season,
        holidays.calendar_date is not null as is_holiday,
        holidays.name as holiday_name,
        attendance.visit_count,
        attendance.attendance_index
    from days
    left join holidays on days.calendar_date = holidays.calendar_date
    left join attendance on days.calendar_date = attendance.calendar_date
)

select * from final
