{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ delete_where('activity_date between ' ~ window_start() ~ ' and ' ~ window_end() ~ ' or activity_date = any(array(select distinct activity_date from ' ~ ref('int_user_days_measured') ~ ' where known_on between ' ~ window_start() ~ ' and ' ~ window_end() ~ '))') }}",
        post_hook="{{ primary_key(['activity_date', 'user_id']) }}",
    )
}}

-- Each use has a range of its own.
with measured as not materialized (
    select * from {{ ref('int_user_days_measured') }}
),

{{ latest_extractions() }},

-- A day outside the window changes too when something about it became known within.
touched_days as (
    select distinct activity_date
    from measured
    where known_on between {{ window_start() }} and {{ window_end() }}
),

final as (
    select
        user_id,
        activity_date,
        {%- for measure in day_measures() %}
        case
            when {{ has_entity(measure.entity, measure.field) }} and {{ is_recorded(measure.entity, 'activity_date') }}
                then sum({{ measure.name }})
        end::{{ measure.type }} as {{ measure.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from measured
    {%- if opens_at_the_beginning() %}
    where activity_date in (select activity_date from touched_days)
    {%- else %}
    where activity_date = any(array(select activity_date from touched_days))
    {%- endif %}
    group by user_id, activity_date
    -- A day of which all was taken back is none.
    having
        {%- for measure in day_measures() %}
        {{ 'or ' if not loop.first }}sum({{ measure.name }}) <> 0
        {%- endfor %}
)

select * from final
