{{ config(indexes=[{'columns': ['user_id'], 'unique': true}]) }}

with users as (
    select * from {{ ref('int_users_versioned') }}
),

passes as (
    select * from {{ ref('core_hp_period') }}
    where has_coverage
),

as_of_users as (
    select distinct {{ horizon() }} as as_of_date, user_id
    from users
),

{{ profiles('as_of_users') }},

user_passes as (
    select
        user_id,
        min(starts_on) as first_pass_on,
        max(hp_end_corrected) as covered_until_on,
        count(*)::int as pass_count,
        max(spell_number) as spell_count,
        bool_or({{ horizon() }} between starts_on and hp_end_corrected) as is_active
    from passes
    group by user_id
),

final as (
    select
        profiles.user_id,
        profiles.registered_on,
        profiles.birth_date,
        profiles.age_years,
        profiles.sex,
        profiles.height_cm,
        profiles.weight_kg,
        profiles.body_mass_index,
        profiles.fat_share,
        profiles.city,
        profiles.club_id,
        profiles.work_type,
        profiles.transport,
        profiles.fitness_experience,
        profiles.goal,
        profiles.onboarding,
        profiles.has_trial,
        profiles.clan_id,
        profiles.is_in_clan,
        profiles.friend_count,
        profiles.tenure_days,
        user_passes.first_pass_on,
        user_passes.covered_until_on,
        coalesce(user_passes.pass_count, 0) as pass_count,
        coalesce(user_passes.spell_count, 0) as spell_count,
        coalesce(user_passes.is_active, false) as is_active
    from profiles
    left join user_passes on profiles.user_id = user_passes.user_id
)

select * from final
