with source as (
    select * from {{ source('ris_raw', 'bookings') }}
),

ranged as (
    {{ known_ranges('source') }}
),

final as (
    select
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
    from ranged
    where {{ is_known('ranged', horizon()) }}
)

select * from final
