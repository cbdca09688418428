with source as (
    select * from {{ source('ris_raw', 'support_tickets') }}
),

final as (
    select
        ticket_id,
        user_id,
        opened_at,
        {{ studio_day('opened_at') }} as opened_on,
        topic,
        tone,
        rating
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
