with source as (
    select * from {{ source('ris_raw', 'assessments') }}
),

final as (
    select
        assessment_id,
        user_id,
        assessed_at,
        {{ studio_day('assessed_at') }} as assessed_on,
        known_at,
        {{ studio_day('greatest(event_at, known_at)') }} as known_on,
        kind,
        score
    from source
    where event_at < {{ horizon_end() }}
)

select * from final
