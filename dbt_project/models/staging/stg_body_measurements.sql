with source as (
    select * from {{ source('ris_raw', 'body_measurements') }}
),

final as (
    select
        measurement_id,
        user_id,
        measured_at,
        {{ studio_day('measured_at') }} as measured_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        weight_kg,
        fat_share,
        muscle_kg
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
