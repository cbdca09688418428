{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['known_on']}, {'columns': ['user_id', 'activity_date']}],
        pre_hook=["{{ only_hash_joins() }}", "{{ delete_where('known_on between ' ~ window_start() ~ ' and ' ~ window_end()) }}"],
        post_hook=[
            "create index if not exists int_user_days_measured_visits on {{ this }} (user_id, activity_date) where visit_count <> 0",
            "{{ analyzed() }}",
        ],
    )
}}

{%- set days = 'known_on between ' ~ window_start() ~ ' and ' ~ window_end() %}
{%- set from_instant = start_of_day(window_start()) %}
{%- set until_instant = start_of_day('(' ~ window_end() ~ ' + 1)') %}

with bookings as (
    select * from {{ ref('stg_bookings__versions') }}
),

station_results as (
    select * from {{ ref('stg_station_results') }}
),

app_sessions as (
    select * from {{ ref('stg_app_sessions') }}
    where started_at >= {{ from_instant }} and started_at < {{ until_instant }}
),

daily_steps as (
    select * from {{ ref('stg_daily_steps') }}
    where counted_at >= {{ from_instant }} and counted_at < {{ until_instant }}
),

social_actions as (
    select * from {{ ref('stg_social_actions') }}
    where acted_at >= {{ from_instant }} and acted_at < {{ until_instant }}
),

support_tickets as (
    select * from {{ ref('stg_support_tickets') }}
    where opened_at >= {{ from_instant }} and opened_at < {{ until_instant }}
),

-- Documents whose class or whose change lies in the window; all their versions are needed.
touched_bookings as (
    select * from bookings
    where source_id in (
        select source_id from bookings
        where starts_at >= {{ from_instant }} or known_at >= {{ from_instant }}
    )
),

booking_versions as (
    {{ known_ranges('touched_bookings') }}
),

-- An outcome is known from the day of the class, or of the cancellation, or of the version that says so.
booking_outcomes as (
    select
        user_id,
        status,
        class_on as activity_date,
        greatest(
            known_from_on,
            class_on,
            case when status in ('cancelled', 'late_cancelled') then cancelled_on end
        ) as known_on,
        known_until_on
    from booking_versions
    where status <> 'booked' and is_deleted is not true
),

-- A later version takes back what an earlier one said.
booking_changes as (
    select user_id, activity_date, status, known_on, 1 as change
    from booking_outcomes
    where known_on < known_until_on
    union all
    select user_id, activity_date, status, known_until_on as known_on, -1 as change
    from booking_outcomes
    where known_on < known_until_on and known_until_on < date '9999-12-31'
),

booking_days as (
    select
        user_id,
        activity_date,
        known_on,
        sum(change) filter (where status = 'attended') as visit_count,
        sum(change) as closed_booking_count,
        sum(change) filter (where status in ('cancelled', 'late_cancelled')) as cancelled_count,
        sum(change) filter (where status = 'no_show') as no_show_count
    from booking_changes
    where {{ days }}
    group by user_id, activity_date, known_on
),

lifted as (
    select user_id, station, performed_at, performed_on, weight_kg
    from station_results
    where weight_kg > 0
),

first_lifts as (
    select distinct on (user_id, station) user_id, station, weight_kg
    from lifted
    where user_id in (
        select user_id from lifted
        where performed_at >= {{ from_instant }} and performed_at < {{ until_instant }}
    )
    order by user_id, station, performed_at, weight_kg
),

station_days as (
    select
        lifted.user_id,
        lifted.performed_on as activity_date,
        lifted.performed_on as known_on,
        count(*) as weight_set_count,
        sum(round((lifted.weight_kg / first_lifts.weight_kg - 1)::numeric, 9)) as weight_progress_sum
    from lifted
    inner join first_lifts
        on lifted.user_id = first_lifts.user_id and lifted.station is not distinct from first_lifts.station
    where lifted.performed_at >= {{ from_instant }} and lifted.performed_at < {{ until_instant }}
    group by lifted.user_id, lifted.performed_on
),

app_days as (
    select
        user_id,
        started_on as activity_date,
        started_on as known_on,
        count(*) as app_session_count,
        sum(coalesce(duration_minutes, 0)::numeric) as app_minutes
    from app_sessions
    group by user_id, started_on
),

step_days as (
    select
        user_id,
        counted_on as activity_date,
        counted_on as known_on,
        sum(steps) as steps,
        1 as step_day_count
    from daily_steps
    group by user_id, counted_on
),

social_days as (
    select user_id, acted_on as activity_date, acted_on as known_on, count(*) as social_action_count
    from social_actions
    group by user_id, acted_on
),

ticket_days as (
    select user_id, opened_on as activity_date, opened_on as known_on, count(*) as ticket_count
    from support_tickets
    group by user_id, opened_on
),

all_days as (
    {{ stack_measures({
        'booking_days': ['visit_count', 'closed_booking_count', 'cancelled_count', 'no_show_count'],
        'station_days': ['weight_set_count', 'weight_progress_sum'],
        'app_days': ['app_session_count', 'app_minutes'],
        'step_days': ['steps', 'step_day_count'],
        'social_days': ['social_action_count'],
        'ticket_days': ['ticket_count'],
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
