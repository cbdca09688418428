with source as (
    select * from {{ source('ris_raw', 'support_tickets') }}
),

final as (
    select
        ticket_id,
        user_id,
        opened_at,
        {{ studio_day('opened_at') }} as opened_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        topic,
        tone,
        rating
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
