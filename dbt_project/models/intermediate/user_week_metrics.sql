{{
    config(
        schema='ris',
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['week_start']}],
        pre_hook=["{{ only_hash_joins() }}", "{{ delete_where('week_start between ' ~ first_window_week() ~ ' and ' ~ window_end()) }}"],
        post_hook=["{{ primary_key(['user_id', 'week_start']) }}", "{{ describe_metrics([('', '')], derived=false) }}"],
    )
}}

-- depends_on: {{ ref('meta_feature_catalog') }}

with passes as (
    select * from {{ ref('int_hero_passes_versioned') }}
),

weeks as (
    select week::date as week_start
    from (
        select greatest({{ week_of('min(starts_on)') }}, {{ first_window_week() }}) as first_week from passes
    ) as bounds
    cross join generate_series(first_week, {{ window_end() }}, interval '7 days') as week
),

-- A week is seen as it was known at its own end, so that later knowledge leaves it as it is.
as_of_dates as (
    select week_start, least(week_start + 6, {{ horizon() }}) as as_of_date
    from weeks
),

{{ exposure_clock('as_of_dates') }},

members as (
    select
        as_of_dates.week_start,
        as_of_dates.as_of_date,
        pass_clock.user_id,
        min(pass_clock.starts_on) as first_pass_on,
        -- The pass that the week ends on: the latest to end of those that cover a day of it.
        (array_agg(pass_clock.hp_id order by pass_clock.hp_end_corrected desc, pass_clock.starts_on desc, pass_clock.hp_id)
            filter (where pass_clock.starts_on <= as_of_dates.as_of_date
                and pass_clock.hp_end_corrected >= as_of_dates.week_start))[1] as hp_id
    from as_of_dates
    inner join pass_clock on as_of_dates.as_of_date = pass_clock.as_of_date
    group by as_of_dates.week_start, as_of_dates.as_of_date, pass_clock.user_id
),

targets as (
    select user_id, week_start as window_start, as_of_date as window_end, first_pass_on, hp_id
    from members
    where hp_id is not null
),

{{ window_metrics('targets', is_weekly=true) }},

final as (
    select
        metrics.user_id,
        {{ week_of('metrics.window_end') }} as week_start
        {%- for metric in active_metrics(derived=false) %},
        metrics.{{ metric.feature }}
        {%- endfor %}
    from metrics
)

select * from final
