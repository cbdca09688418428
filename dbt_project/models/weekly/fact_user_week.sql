{{
    config(
        materialized='view',
        post_hook="{{ describe_metrics([('', '')] + norm_suffixes() + [('_delta', ': minus its weighted mean')]) }}",
    )
}}

-- depends_on: {{ ref('meta_feature_catalog') }}

with metrics as (
    select * from {{ ref('user_week_metrics') }}
),

norms as (
    select * from {{ source('ris_norms', 'user_week_norm') }}
),

final as (
    select
        metrics.user_id,
        metrics.week_start,
        {{ season('metrics.week_start') }} as season
        {%- for metric in active_metrics() %},
        {{ metric_with_norms(metric.feature) }}
        {%- endfor %}
    from metrics
    left join norms on metrics.user_id = norms.user_id and metrics.week_start = norms.week_start
)

select * from final
