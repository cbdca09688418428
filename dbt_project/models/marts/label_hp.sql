{{ config(post_hook="{{ primary_key(['hp_id']) }}") }}

{%- set horizons = [30, 60, 90] %}

with passes as (
    select * from {{ ref('core_hp_period') }}
    where has_coverage
),

horizon as (
    select {{ horizon() }} as horizon_on
),

final as (
    select
        passes.hp_id,
        passes.user_id,
        passes.hp_end_corrected,
        passes.renewed_on - passes.hp_end_corrected as days_to_renewal
        {%- for days in horizons %},
        case
            when passes.renewed_on <= passes.hp_end_corrected + {{ days }} then true
            when horizon.horizon_on >= passes.hp_end_corrected + {{ days }} then false
        end as renewed_{{ days }}d,
        horizon.horizon_on >= passes.hp_end_corrected + {{ days }} as matured_{{ days }}d,
        passes.hp_end_corrected + {{ days }} as matures_{{ days }}d_on
        {%- endfor %}
    from passes
    cross join horizon
)

select * from final
