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
        -- Of a list that names somebody twice, or its owner.
        case
            when friend_ids is not null
                then (select count(distinct friend_id) from unnest(friend_ids) as friend_id where friend_id <> user_id)::int
        end as friend_count,
        factors
    from source
)

select * from final
