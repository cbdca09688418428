{{ config(post_hook="{{ primary_key(['user_id']) }}") }}

with users as (
    select * from {{ ref('int_users_versioned') }}
),

as_of_users as (
    select distinct {{ horizon() }} as as_of_date, user_id
    from users
),

{{ profiles('as_of_users') }},

-- Money is counted in the currency of the last pass. Of whose passes no price is known, nothing is.
user_passes as (
    select
        user_id,
        min(starts_on) as first_pass_on,
        max(hp_end_corrected) as covered_until_on,
        count(*)::int as pass_count,
        max(spell_number) as spell_count,
        max(return_count) as return_count,
        (array_agg(currency order by pass_number desc))[1] as currency,
        (array_agg(spent_so_far order by pass_number desc))[1] as money_spent,
        (max(purchased_on) - min(purchased_on))::float8 / nullif(count(*) - 1, 0) as days_between_purchases_mean,
        bool_or({{ horizon() }} between starts_on and hp_end_corrected) as is_active
    from {{ ref('core_hp_period') }}
    where has_coverage
    group by user_id
),

-- The last 26 weeks, that of the horizon among them. Neither table holds anything that is known after it, nor anything
-- known in a week before that of its day.
recent_weeks as (
    select {{ week_of(horizon()) }} - 25 * 7 as first_week
),

habits as (
    select
        user_id,
        sum(social_action_count) as act_count,
        sum(closed_booking_count) as closed_booking_count,
        sum(joint_visit_count)::float8 / nullif(sum(visit_count), 0) as joint_share,
        sum(feed_count)::float8 / nullif(sum(app_session_count), 0) as feed_share,
        sum(leaderboard_count)::float8 / nullif(sum(app_session_count), 0) as leaderboard_share,
        sum(achievement_count)::float8 / nullif(sum(app_session_count), 0) as achievement_share
    from {{ ref('int_week_measured') }}
    where week_start >= (select first_week from recent_weeks)
        and activity_week_start >= (select first_week from recent_weeks)
    group by user_id
),

joint_bookings as (
    select user_id, sum(change) as joint_booking_count
    from {{ ref('int_booking_changes') }}
    where activity_date >= (select first_week from recent_weeks) and what = 'joint_booking'
    group by user_id
),

friends as (
    select
        users.user_id,
        count(friend_passes.user_id)::int as active_friend_count
    from users
    left join (
        select friendships.user_id as of_user_id, friendships.friend_id as user_id
        from {{ ref('int_friendships_versioned') }} as friendships
        inner join user_passes on friendships.friend_id = user_passes.user_id and user_passes.is_active
        where {{ is_known('friendships', horizon()) }}
    ) as friend_passes on users.user_id = friend_passes.of_user_id
    where {{ is_known('users', horizon()) }} and users.friend_count is not null
    group by users.user_id
),

{{ latest_extractions() }},

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
        profiles.clan_since_on,
        profiles.friend_count,
        profiles.factors,
        friends.active_friend_count,
        {{ sociability('profiles.friend_count', 'social.acts_a_week') }} as sociability,
        case when friends.user_id is not null then habits.joint_share end as joint_visit_share,
        case
            when friends.user_id is not null
                then coalesce(joint_bookings.joint_booking_count, 0)::float8 / nullif(habits.closed_booking_count, 0)
        end as joint_booking_share,
        {%- for share, field in [('feed_share', 'has_opened_feed'), ('leaderboard_share', 'has_opened_leaderboard'), ('achievement_share', 'has_opened_achievements')] %}
        case when {{ has_entity('app_sessions', field) }} then habits.{{ share }} end as {{ share }},
        {%- endfor %}
        preferred.club_id as preferred_club_id,
        preferred.coach_id as preferred_coach_id,
        preferred.class_type as preferred_class_type,
        preferred.class_hour as preferred_hour,
        profiles.tenure_days,
        user_passes.first_pass_on,
        user_passes.covered_until_on,
        coalesce(user_passes.pass_count, 0) as pass_count,
        coalesce(user_passes.spell_count, 0) as spell_count,
        coalesce(user_passes.return_count, 0) as return_count,
        case when user_passes.user_id is null then 0 else user_passes.money_spent end as money_spent,
        user_passes.currency,
        user_passes.days_between_purchases_mean,
        coalesce(user_passes.is_active, false) as is_active
    from profiles
    left join user_passes on profiles.user_id = user_passes.user_id
    left join friends on profiles.user_id = friends.user_id
    left join habits on profiles.user_id = habits.user_id
    left join joint_bookings on profiles.user_id = joint_bookings.user_id
    -- Over the weeks that there have been since the registration: at least one, at most 26.
    left join lateral (
        select coalesce(habits.act_count, 0) / least(greatest(profiles.tenure_days::float8 / 7, 1), 26) as acts_a_week
        where {{ has_entity('social_actions') }}
    ) as social on true
    left join {{ ref('int_visit_preferences') }} as preferred on profiles.user_id = preferred.user_id
)

select * from final
