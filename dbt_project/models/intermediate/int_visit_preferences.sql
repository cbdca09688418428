{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='user_id',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['user_id']}],
        pre_hook="{{ delete_where(opens_at_the_beginning()) }}",
    )
}}

{%- set preferences = ['club_id', 'coach_id', 'class_type', 'class_hour'] %}

{%- set is_added_to = keeps_rows('last_known_on') %}

-- The last 26 weeks, that of the horizon among them. Nothing is known there that the horizon does not know.
with recent_weeks as (
    select {{ week_of(horizon()) }} - 25 * 7 as first_week
),

{%- if is_added_to %}

-- Whose visits became known in the window or, it being made again, may have been; and everyone where a new week begins.
members as (
    select user_id from {{ ref('int_booking_changes') }}
    where known_on between {{ window_start() }} and {{ window_end() }} and what = 'attended'
    union
    select kept.user_id from {{ this }} as kept
    cross join recent_weeks
    where kept.last_known_on >= {{ window_start() }} or kept.first_week <> recent_weeks.first_week
),
{%- endif %}

visits as (
    select
        user_id,
        {{ preferences | join(', ') }},
        starts_at,
        sum(change) as visits,
        max(known_on) as last_known_on
    from {{ ref('int_booking_changes') }}
    where activity_date >= (select first_week from recent_weeks) and what = 'attended'
    {%- if is_added_to %}
        and user_id in (select user_id from members)
    {%- endif %}
    group by user_id, {{ preferences | join(', ') }}, starts_at
),

{%- if not is_added_to %}

members as (
    select distinct user_id from visits
),
{%- endif %}

visit_counts as (
    select
        user_id,
        {{ preferences | join(', ') }},
        grouping({{ preferences | join(', ') }}) as preference,
        sum(visits) as visits,
        max(starts_at) filter (where visits > 0) as last_at,
        max(last_known_on) as last_known_on
    from visits
    group by grouping sets (
        {%- for column in preferences %}
        (user_id, {{ column }}),
        {%- endfor %}
        (user_id)
    )
),

-- Of equals the later visited.
first_preferences as (
    select distinct on (user_id, preference) *
    from visit_counts
    where visits > 0 and num_nonnulls({{ preferences | join(', ') }}) = 1
    order by user_id, preference, visits desc, last_at desc, {{ preferences | join(', ') }}
),

preferred as (
    select
        user_id
        {%- for column in preferences %},
        max({{ column }}) as {{ column }}
        {%- endfor %}
    from first_preferences
    group by user_id
),

known as (
    select user_id, last_known_on
    from visit_counts
    where preference = {{ 2 ** (preferences | length) - 1 }}
),

final as (
    select
        members.user_id,
        {%- for column in preferences %}
        preferred.{{ column }},
        {%- endfor %}
        recent_weeks.first_week,
        known.last_known_on
    from members
    cross join recent_weeks
    left join preferred on members.user_id = preferred.user_id
    left join known on members.user_id = known.user_id
)

select * from final
