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
