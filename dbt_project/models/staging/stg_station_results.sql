with source as (
    select * from {{ source('ris_raw', 'station_results') }}
),

final as (
    select
        result_id,
        booking_id,
        user_id,
        performed_at,
        {{ studio_day('performed_at') }} as performed_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        station,
        weight_kg,
        reps,
        has_heart_rate,
        heart_rate_mean,
        heart_rate_max
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
