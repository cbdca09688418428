{{
    config(
        schema='ris',
        indexes=[],
        post_hook=[
            "{{ primary_key(['user_id', 'week_start']) }}",
            "create index if not exists user_week_metrics_in_time on {{ this }} (week_start) include (user_id, week_hash)",
            "{{ describe_metrics([('', '')], derived=false) }}",
        ],
    )
}}

-- depends_on: {{ ref('meta_feature_catalog') }}

{%- set of_week = active_metrics(derived=false) %}

-- Read in place where it is used: a copy that is kept bars workers from its joins.
with targets as not materialized (
    select *, week_start as window_start
    from {{ ref('int_exposed_weeks') }}
    where {{ in_window_weeks() }}
),

{{ window_metrics('targets', is_weekly=true) }},

final as (
    select
        metrics.user_id,
        {{ week_of('metrics.window_end') }} as week_start,
        -- Norms of later weeks ask it whether they are made of the same.
        hash_record_extended(row(
            {%- for metric in of_week %}
            metrics.{{ metric.feature }}{{ ',' if not loop.last }}
            {%- endfor %}
        ), 1) as week_hash
        {%- for metric in of_week %},
        metrics.{{ metric.feature }}
        {%- endfor %}
    from metrics
)

select * from final
{{ stored_by('week_start') }}
