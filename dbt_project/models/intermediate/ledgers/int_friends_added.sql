with actions as (
    select * from {{ ref('stg_social_actions') }}
    where kind = 'friend_added' and target_user_id is not null and known_on <= {{ window_end() }}
        {%- if adds_to_its_rows() %}
        and {{ known_within_window('acted_at') }}
        {%- endif %}
),

final as (
    select user_id, target_user_id as friend_id, known_on
    from actions
)

select * from final
