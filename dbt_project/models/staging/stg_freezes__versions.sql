with source as (
    select * from {{ source('ris_raw', 'freezes') }}
),

final as (
    select
        source_id,
        event_at,
        known_at,
        is_deleted,
        freeze_id,
        hp_id,
        requested_at,
        {{ studio_day('requested_at') }} as requested_on,
        starts_at,
        {{ studio_day('starts_at') }} as starts_on,
        ends_at,
        {{ last_studio_day('ends_at') }} as ends_on,
        cancelled_at,
        {{ studio_day('cancelled_at') }} as called_off_on,
        least(
            {{ last_studio_day('cancelled_at') }},
            case when cancelled_at <= starts_at then {{ studio_day('starts_at') }} - 1 end
        ) as called_off_end_on
    from source
)

select * from final
