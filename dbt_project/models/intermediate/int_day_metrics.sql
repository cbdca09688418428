{{
    config(
        pre_hook="{{ only_hash_joins() }}",
        post_hook=["{{ analyzed() }}", "{{ describe_metrics([('', ' (trailing seven days)')], derived=false) }}"],
    )
}}

-- depends_on: {{ ref('meta_feature_catalog') }}

with {{ snapshot_days(besides_sundays=true) }},

-- Friends who lapsed within the window were covered on the day before it.
clock_days as (
    select as_of_date, as_of_date - 7 as open_since
    from as_of_dates
),

{{ exposure_clock('clock_days', still_open=true) }},

{{ active_passes() }},

targets as (
    select
        user_id,
        as_of_date - 6 as window_start,
        as_of_date as window_end,
        hp_id
    from active_passes
),

{{ window_metrics('targets') }}

select * from metrics
