{{
    config(
        pre_hook="{{ only_hash_joins() }}",
        post_hook=["{{ analyzed() }}", "{{ describe_metrics([('', ' (trailing seven days)')], derived=false) }}"],
    )
}}

-- depends_on: {{ ref('meta_feature_catalog') }}

with {{ snapshot_days(besides_sundays=true) }},

{{ exposure_clock('as_of_dates') }},

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
