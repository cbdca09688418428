with source as (
    select * from {{ source('ris_raw', 'daily_steps') }}
),

final as (
    select
        steps_id,
        user_id,
        counted_at,
        {{ studio_day('counted_at') }} as counted_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        steps
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
