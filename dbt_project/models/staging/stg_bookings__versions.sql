with source as (
    select * from {{ source('ris_raw', 'bookings') }}
),

final as (
    select
        source_id,
        event_at,
        known_at,
        is_deleted,
        booking_id,
        user_id,
        club_id,
        class_type,
        coach_id,
        booked_at,
        {{ studio_day('booked_at') }} as booked_on,
        starts_at,
        {{ studio_day('starts_at') }} as class_on,
        status,
        cancelled_at,
        {{ studio_day('cancelled_at') }} as cancelled_on,
        stations_done,
        stations_planned
    from source
)

select * from final
