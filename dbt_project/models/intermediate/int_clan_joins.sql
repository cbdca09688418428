{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        indexes=[{'columns': ['known_on']}],
        pre_hook="{{ delete_where('known_on between ' ~ window_start() ~ ' and ' ~ window_end()) }}",
    )
}}

with actions as (
    select * from {{ ref('stg_social_actions') }}
    where kind = 'clan_joined' and known_on <= {{ window_end() }}
        {%- if adds_to_its_rows() %}
        and {{ known_within_window('acted_at') }}
        {%- endif %}
),

final as (
    select user_id, acted_at, known_on
    from actions
)

select * from final
