with source as (
    select * from {{ source('ris_raw', 'app_sessions') }}
),

final as (
    select
        session_id,
        user_id,
        started_at,
        {{ studio_day('started_at') }} as started_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        duration_minutes,
        has_opened_feed,
        has_opened_leaderboard,
        has_opened_achievements
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
