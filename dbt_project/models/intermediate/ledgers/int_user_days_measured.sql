{{
    config(
        indexes=[{'columns': ['known_on']}, {'columns': ['activity_date']}, {'columns': ['user_id', 'activity_date']}],
        pre_hook="{{ only_hash_joins() }}",
        post_hook="{{ analyzed() }}",
    )
}}

{%- set days = 'known_on between ' ~ window_start() ~ ' and ' ~ window_end() %}

with booking_changes as (
    select * from {{ ref('int_booking_changes') }}
    where {{ days }}
),

-- Each use has a range of its own.
station_results as not materialized (
    select * from {{ ref('stg_station_results') }}
),

app_sessions as (
    select * from {{ ref('stg_app_sessions') }}
    where {{ known_within_window('started_at') }}
),

daily_steps as (
    select * from {{ ref('stg_daily_steps') }}
    where {{ known_within_window('counted_at') }}
),

social_actions as (
    select * from {{ ref('stg_social_actions') }}
    where {{ known_within_window('acted_at') }}
),

support_tickets as (
    select * from {{ ref('stg_support_tickets') }}
    where {{ known_within_window('opened_at') }}
),

assessments as (
    select * from {{ ref('stg_assessments') }}
    where {{ known_within_window('assessed_at') }}
),

payments as (
    select * from {{ ref('stg_payments') }}
    where {{ known_within_window('paid_at') }}
),

booking_days as (
    select
        user_id,
        activity_date,
        known_on,
        sum(change) filter (where what = 'made') as booked_count,
        sum(change * lead_hours) filter (where what = 'made') as lead_hours_sum,
        sum(change) filter (where what = 'attended') as visit_count,
        sum(change) filter (where what = 'joint') as joint_visit_count,
        sum(change) filter (where what not in ('made', 'joint', 'joint_booking')) as closed_booking_count,
        sum(change) filter (where what in ('cancelled', 'late_cancelled')) as cancelled_count,
        sum(change) filter (where what = 'late_cancelled') as late_cancelled_count,
        sum(change) filter (where what = 'no_show') as no_show_count,
        sum(change * stations_done) filter (where what = 'attended') as stations_done,
        sum(change * stations_planned) filter (where what = 'attended') as stations_planned
    from booking_changes
    group by user_id, activity_date, known_on
),

-- Every set, with a weight or without.
set_days as (
    select
        user_id,
        performed_on as activity_date,
        known_on,
        count(*) as set_count,
        count(*) filter (where has_heart_rate) as heart_rate_set_count,
        count(heart_rate_mean) as heart_rate_count,
        sum({{ summable('heart_rate_mean') }}) as heart_rate_sum
    from station_results
    where {{ known_within_window('performed_at') }}
    group by user_id, performed_on, known_on
),

lifted as (
    select user_id, station, performed_on, known_on, weight_kg
    from station_results
    where weight_kg > 0 and {{ known_within_window('performed_at') }}
),

first_lifts as (
    select * from {{ ref('int_first_lifts') }}
),

station_days as (
    select
        lifted.user_id,
        lifted.performed_on as activity_date,
        lifted.known_on,
        count(*) as weight_set_count,
        sum({{ summable('lifted.weight_kg') }}) as weight_sum_kg,
        sum({{ summable('lifted.weight_kg / first_lifts.weight_kg - 1') }}) as weight_progress_sum
    from lifted
    inner join first_lifts
        on lifted.user_id = first_lifts.user_id and lifted.station is not distinct from first_lifts.station
    group by lifted.user_id, lifted.performed_on, lifted.known_on
),

app_days as (
    select
        user_id,
        started_on as activity_date,
        known_on,
        count(*) as app_session_count,
        sum({{ summable('coalesce(duration_minutes, 0)') }}) as app_minutes,
        count(*) filter (where has_opened_feed) as feed_count,
        count(*) filter (where has_opened_leaderboard) as leaderboard_count,
        count(*) filter (where has_opened_achievements) as achievement_count
    from app_sessions
    group by user_id, started_on, known_on
),

step_counts as (
    select user_id, counted_on, known_on, min(counted_at) as counted_at, sum(steps) as steps
    from daily_steps
    group by user_id, counted_on, known_on
),

late_step_counts as (
    select * from step_counts
    where known_on > counted_on
),

-- Days of which something was known before what came late: they are counted already.
known_step_days as (
    select distinct late.user_id, late.counted_on, late.known_on
    from late_step_counts as late
    inner join {{ ref('stg_daily_steps') }} as earlier
        on late.user_id = earlier.user_id and late.counted_on = earlier.counted_on and late.known_on > earlier.known_on
    where earlier.counted_at between (select min(counted_at) - interval '1 day' from late_step_counts)
        and (select max(counted_at) + interval '1 day' from late_step_counts)
),

step_days as (
    select
        step_counts.user_id,
        step_counts.counted_on as activity_date,
        step_counts.known_on,
        step_counts.steps,
        (known_step_days.user_id is null)::int as step_day_count
    from step_counts
    left join known_step_days
        on step_counts.user_id = known_step_days.user_id
        and step_counts.counted_on = known_step_days.counted_on
        and step_counts.known_on = known_step_days.known_on
),

social_days as (
    select
        user_id,
        acted_on as activity_date,
        known_on,
        count(*) as social_action_count,
        count(*) filter (where kind = 'post') as post_count,
        count(*) filter (where kind in ('like', 'comment')) as reaction_count,
        count(*) filter (where kind = 'friend_added') as friend_added_count
    from social_actions
    group by user_id, acted_on, known_on
),

-- A rating of 1 to 5 stands for a tone of -1 to 1 where no tone is given.
ticket_days as (
    select
        user_id,
        opened_on as activity_date,
        known_on,
        count(*) as ticket_count,
        count(coalesce(tone, rating)) as tone_count,
        sum({{ summable('coalesce(tone, (rating - 3) / 2)') }}) as tone_sum
    from support_tickets
    group by user_id, opened_on, known_on
),

assessment_days as (
    select user_id, assessed_on as activity_date, known_on, count(*) as assessment_count
    from assessments
    group by user_id, assessed_on, known_on
),

payment_days as (
    select user_id, paid_on as activity_date, known_on, count(*) as failed_payment_count
    from payments
    where status = 'failed'
    group by user_id, paid_on, known_on
),

all_days as (
    {{ stack_measures({
        'booking_days': [
            'booked_count', 'lead_hours_sum', 'visit_count', 'joint_visit_count', 'closed_booking_count',
            'cancelled_count', 'late_cancelled_count', 'no_show_count', 'stations_done', 'stations_planned',
        ],
        'set_days': ['set_count', 'heart_rate_set_count', 'heart_rate_count', 'heart_rate_sum'],
        'station_days': ['weight_set_count', 'weight_sum_kg', 'weight_progress_sum'],
        'app_days': [
            'app_session_count', 'app_minutes', 'feed_count', 'leaderboard_count', 'achievement_count',
        ],
        'step_days': ['steps', 'step_day_count'],
        'social_days': ['social_action_count', 'post_count', 'reaction_count', 'friend_added_count'],
        'ticket_days': ['ticket_count', 'tone_count', 'tone_sum'],
        'assessment_days': ['assessment_count'],
        'payment_days': ['failed_payment_count'],
    }) }}
),

final as (
    select
        user_id,
        activity_date,
        known_on,
        {%- for measure in day_measures() %}
        coalesce(sum({{ measure.name }}), 0)::{{ measure.type }} as {{ measure.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from all_days
    group by user_id, activity_date, known_on
)

select * from final
where
    {%- for measure in day_measures() %}
    {{ 'or ' if not loop.first }}{{ measure.name }} <> 0
    {%- endfor %}
{{ stored_by_day() }}
