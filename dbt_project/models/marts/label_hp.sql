{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['user_id', 'passes_hash']}],
        pre_hook=[
            "{{ delete_changed() }}",
            "{{ delete_where('user_id in (select user_id from ' ~ this ~ ' where ' ~ has_matured() ~ ')') }}",
        ],
        post_hook=["{{ primary_key(['hp_id']) }}", "{{ analyzed() }}"],
    )
}}

{#- The labels of a member stay while passes do and no day of them comes to be over. -#}

-- What passes are made of is asked before the run: depends_on: {{ ref('int_member_pass_inputs') }}

with passes as (
    select * from {{ ref('core_hp_period') }}
    where has_coverage
    {%- if keeps_rows('passes_hash') %}
        and user_id = any(array(
            select inputs.user_id from {{ ref('int_member_pass_inputs') }} as inputs
            where inputs.user_id not in (select kept.user_id from {{ this }} as kept)
        ))
    {%- endif %}
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
        {%- for days in label_days() %},
        case
            when passes.renewed_on <= passes.hp_end_corrected + {{ days }} then true
            when horizon.horizon_on >= passes.hp_end_corrected + {{ days }} then false
        end as renewed_{{ days }}d,
        horizon.horizon_on >= passes.hp_end_corrected + {{ days }} as matured_{{ days }}d,
        passes.hp_end_corrected + {{ days }} as matures_{{ days }}d_on
        {%- endfor %},
        passes.passes_hash
    from passes
    cross join horizon
)

select * from final
