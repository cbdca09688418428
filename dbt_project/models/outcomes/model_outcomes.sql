{{ config(post_hook="{{ primary_key(['score_date', 'user_id']) }}") }}

with scores as (
    select * from {{ source('ris_scores', 'model_scores_daily') }}
),

labels as (
    select * from {{ ref('label_hp') }}
),

final as (
    select
        scores.score_date,
        scores.user_id,
        scores.hp_id,
        scores.model_name,
        scores.model_version,
        scores.basis,
        scores.risk_score,
        scores.risk_band
        {%- for days in [30, 60, 90] %},
        scores.p_renew_{{ days }}d,
        case when labels.matured_{{ days }}d then labels.renewed_{{ days }}d end as renewed_{{ days }}d,
        labels.matured_{{ days }}d as is_matured_{{ days }}d
        {%- endfor %}
    from scores
    inner join labels on scores.hp_id = labels.hp_id
    -- A renewal is known at once and its absence a month later: early labels would flatter every model.
    where labels.matured_30d
)

select * from final
