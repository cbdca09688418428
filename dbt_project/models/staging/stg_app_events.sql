with source as (
    select * from {{ source('ris_raw', 'app_events') }}
),

final as (
    select
        event_id,
        user_id,
        occurred_at,
        {{ studio_day('occurred_at') }} as occurred_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        type,
        metadata
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
