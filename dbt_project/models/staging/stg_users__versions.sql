with source as (
    select * from {{ source('ris_raw', 'users') }}
),

final as (
    select
        source_id,
        event_at,
        known_at,
        is_deleted,
        user_id,
        registered_at,
        {{ studio_day('registered_at') }} as registered_on,
        birth_date,
        sex,
        height_cm,
        weight_kg,
        fat_share,
        city,
        club_id,
        work_type,
        transport,
        fitness_experience,
        goal,
        onboarding,
        has_trial,
        clan_id,
        cardinality(friend_ids) as friend_count
    from source
)

select * from final
