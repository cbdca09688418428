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

-- The last 26 weeks, that of the horizon among them. Nothing is known there that the horizon does not know.
with visits as (
    select user_id, starts_at, change, {{ preferences | join(', ') }}
    from {{ ref('int_booking_changes') }}
    where activity_date >= {{ week_of(horizon()) }} - 25 * 7 and what = 'attended'
),

members as (
    select
        user_id,
        sum(hash_record_extended(row(starts_at, change, {{ preferences | join(', ') }}), 1))::text as visits_hash
    from visits
    group by user_id
),

-- Counting takes longer than comparing: it is done for those whose visits are others than they were.
changed as (
    {%- if keeps_rows('visits_hash') %}
    select coalesce(members.user_id, kept.user_id) as user_id, members.visits_hash
    from members
    full join {{ this }} as kept on members.user_id = kept.user_id
    where members.visits_hash is distinct from kept.visits_hash
    {%- else %}
    select * from members
    {%- endif %}
),

visit_counts as (
    select
        user_id,
        {{ preferences | join(', ') }},
        grouping({{ preferences | join(', ') }}) as preference,
        sum(change) as visits,
        max(starts_at) as last_at
    from visits
    where user_id in (select user_id from changed)
    group by grouping sets (
        {%- for column in preferences %}
        (user_id, {{ column }}){{ ',' if not loop.last }}
        {%- endfor %}
    )
    having sum(change) > 0
),

-- Of equals the later visited.
first_preferences as (
    select distinct on (user_id, preference) *
    from visit_counts
    where num_nonnulls({{ preferences | join(', ') }}) = 1
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

final as (
    select
        changed.user_id,
        {%- for column in preferences %}
        preferred.{{ column }},
        {%- endfor %}
        changed.visits_hash
    from changed
    left join preferred on changed.user_id = preferred.user_id
)

select * from final
