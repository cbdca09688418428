{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['hp_id']}],
        pre_hook="{{ delete_changed() }}",
    )
}}

with horizon as (
    select {{ horizon() }} as as_of_date
),

inputs as (
    select * from {{ ref('int_member_pass_inputs') }}
),

members as (
    select distinct horizon.as_of_date, versions.user_id
    from {{ ref('int_freezes_versioned') }} as freezes
    inner join {{ ref('int_hero_passes_versioned') }} as versions on freezes.hp_id = versions.hp_id
    cross join horizon
    {%- if keeps_rows('passes_hash') %}
    where versions.user_id not in (select kept.user_id from {{ this }} as kept)
    {%- endif %}
),

{{ exposure_clock('horizon', members='members') }},

final as (
    select
        frozen_spans.user_id,
        frozen_spans.hp_id,
        frozen_spans.frozen_from_on,
        frozen_spans.frozen_to_on,
        inputs.passes_hash
    from frozen_spans
    inner join inputs on frozen_spans.user_id = inputs.user_id
)

select * from final
