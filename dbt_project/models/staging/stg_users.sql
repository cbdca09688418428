with versions as (
    select * from {{ ref('stg_users__versions') }}
),

final as (
    select
        user_id,
        registered_at,
        registered_on,
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
        friend_ids
    from versions
    where {{ is_known('versions', horizon()) }}
)

select * from final
