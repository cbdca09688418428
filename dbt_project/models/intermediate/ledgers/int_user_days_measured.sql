{{
    config(
        indexes=[{'columns': ['known_on']}, {'columns': ['activity_date']}],
        pre_hook="{{ only_hash_joins() }}",
        post_hook="{{ analyzed() }}",
    )
}}

{%- set days = 'known_on between ' ~ window_start() ~ ' and ' ~ window_end() %}

with booking_changes as (
    select * from {{ ref('int_booking_changes') }}
    where {{ days }}
),

{%- for relation, instant in [
    ('stg_station_results', 'performed_at'), ('stg_app_sessions', 'started_at'), ('stg_daily_steps', 'counted_at'),
    ('stg_social_actions', 'acted_at'), ('stg_support_tickets', 'opened_at'), ('stg_assessments', 'assessed_at'),
    ('stg_payments', 'paid_at'),
] %}

{{ relation | replace('stg_', '') }} as not materialized (
    {{- event_changes(ref(relation), instant) }}
),
{%- endfor %}

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
        changed_on as known_on,
        sum(change) as set_count,
        sum(change) filter (where has_heart_rate) as heart_rate_set_count,
        sum(change) filter (where heart_rate_mean is not null) as heart_rate_count,
        sum(change * {{ summable('heart_rate_mean') }}) as heart_rate_sum
    from station_results
    group by user_id, performed_on, changed_on
),

lifted as (
    select user_id, station, performed_on, changed_on, change, weight_kg
    from station_results
    where weight_kg > 0
),

first_lifts as (
    select * from {{ ref('int_first_lifts') }}
),

station_days as (
    select
        lifted.user_id,
        lifted.performed_on as activity_date,
        lifted.changed_on as known_on,
        sum(lifted.change) as weight_set_count,
        sum(lifted.change * {{ summable('lifted.weight_kg') }}) as weight_sum_kg,
        sum(lifted.change * {{ summable('lifted.weight_kg / first_lifts.weight_kg - 1') }}) as weight_progress_sum
    from lifted
    inner join first_lifts
        on lifted.user_id = first_lifts.user_id and lifted.station is not distinct from first_lifts.station
    group by lifted.user_id, lifted.performed_on, lifted.changed_on
),

app_days as (
    select
        user_id,
        started_on as activity_date,
        changed_on as known_on,
        sum(change) as app_session_count,
        sum(change) filter (where duration_minutes is not null) as app_timed_count,
        sum(change * {{ summable('coalesce(duration_minutes, 0)') }}) as app_minutes,
        sum(change) filter (where has_opened_feed) as feed_count,
        sum(change) filter (where has_opened_leaderboard) as leaderboard_count,
        sum(change) filter (where has_opened_achievements) as achievement_count
    from app_sessions
    group by user_id, started_on, changed_on
),

step_counts as (
    select
        user_id,
        counted_on,
        changed_on,
        min(counted_at) as counted_at,
        sum(change * steps) as steps,
        sum(change) as count_change
    from daily_steps
    group by user_id, counted_on, changed_on
),

late_step_counts as (
    select * from step_counts
    where changed_on > counted_on
),

-- A day counts once, whatever became known of it: how much was, before what came late.
step_counts_before as (
    select late.user_id, late.counted_on, late.changed_on, count(*) as count_before
    from late_step_counts as late
    inner join {{ ref('stg_daily_steps') }} as earlier
        on late.user_id = earlier.user_id
        and late.counted_on = earlier.counted_on
        and late.changed_on > earlier.known_on
        and late.changed_on <= earlier.known_until_on
    where earlier.counted_at between (select min(counted_at) - interval '1 day' from late_step_counts)
        and (select max(counted_at) + interval '1 day' from late_step_counts)
    group by late.user_id, late.counted_on, late.changed_on
),

step_days as (
    select
        step_counts.user_id,
        step_counts.counted_on as activity_date,
        step_counts.changed_on as known_on,
        step_counts.steps,
        (coalesce(before.count_before, 0) + step_counts.count_change > 0)::int
        - (coalesce(before.count_before, 0) > 0)::int as step_day_count
    from step_counts
    left join step_counts_before as before
        on step_counts.user_id = before.user_id
        and step_counts.counted_on = before.counted_on
        and step_counts.changed_on = before.changed_on
),

social_days as (
    select
        user_id,
        acted_on as activity_date,
        changed_on as known_on,
        sum(change) as social_action_count,
        sum(change) filter (where kind = 'post') as post_count,
        sum(change) filter (where kind in ('like', 'comment')) as reaction_count,
        sum(change) filter (where kind = 'friend_added') as friend_added_count
    from social_actions
    group by user_id, acted_on, changed_on
),

-- A rating of 1 to 5 stands for a tone of -1 to 1 where no tone is given.
ticket_days as (
    select
        user_id,
        opened_on as activity_date,
        changed_on as known_on,
        sum(change) as ticket_count,
        sum(change) filter (where coalesce(tone, rating) is not null) as tone_count,
        sum(change * {{ summable('coalesce(tone, (rating - 3) / 2)') }}) as tone_sum
    from support_tickets
    group by user_id, opened_on, changed_on
),

assessment_days as (
    select user_id, assessed_on as activity_date, changed_on as known_on, sum(change) as assessment_count
    from assessments
    group by user_id, assessed_on, changed_on
),

payment_days as (
    select user_id, paid_on as activity_date, changed_on as known_on, sum(change) as failed_payment_count
    from payments
    where status = 'failed'
    group by user_id, paid_on, changed_on
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
            'app_session_count', 'app_timed_count', 'app_minutes', 'feed_count', 'leaderboard_count',
            'achievement_count',
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
{{ stored_by('activity_date') }}
