with source as (
    select * from {{ source('ris_raw', 'social_actions') }}
),

final as (
    select
        action_id,
        user_id,
        acted_at,
        {{ studio_day('acted_at') }} as acted_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        kind,
        target_user_id
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
