{#
    A member's profile as known at the end of a day, the latest body readings included.

    as_of: a CTE (as_of_date, user_id). Emits the CTE profiles (as_of_date, user_id, ...), without a row for
    a member whose document was not known by then.
#}
{% macro profiles(as_of) %}
body_readings as (
    select * from {{ ref('int_body_readings_known') }}
    where next_on > (select min(as_of_date) from {{ as_of }})
),

-- Rows of an earlier version say no change: they are all of one.
clan_join_changes as (
    select
        user_id,
        known_on,
        coalesce(change, 1) as change,
        lead(known_on, 1, date '9999-12-31')
            over (partition by user_id, acted_at order by known_on, coalesce(change, 1)) as known_until_on
    from {{ ref('int_clan_joins') }}
),

clan_joins as (
    select
        user_id,
        known_on as joined_on,
        known_until_on
    from clan_join_changes
    where change = 1
),

-- In a clan since it was joined, or since the profile first said so: one joined later that was none ends nothing.
last_clan_joins as (
    select as_of.as_of_date, as_of.user_id, max(clan_joins.joined_on) as joined_on
    from {{ as_of }} as as_of
    inner join clan_joins
        on as_of.user_id = clan_joins.user_id
        and clan_joins.joined_on <= as_of.as_of_date
        and as_of.as_of_date < clan_joins.known_until_on
    group by as_of.as_of_date, as_of.user_id
),

-- History tells one state; what members did themselves says since when: they were in no clan before they joined the first.
first_clan_joins as (
    select user_id, min(joined_on) as joined_on
    from clan_joins
    where {{ is_of_history('joined_on', 'users') }}
    group by user_id
),

-- Friends in the list of history who were yet to be added.
later_friends as (
    select as_of.as_of_date, as_of.user_id, count(*)::int as friend_count
    from {{ as_of }} as as_of
    inner join {{ ref('int_friendships_versioned') }} as friendships
        on as_of.user_id = friendships.user_id
        and friendships.listed_from_on <= as_of.as_of_date
        and as_of.as_of_date < friendships.known_from_on
    group by as_of.as_of_date, as_of.user_id
),

known_profiles as (
    select
        as_of.as_of_date,
        users.*,
        case when (users.is_history and as_of.as_of_date < first_clan_joins.joined_on) is not true then users.clan_id end
            as known_clan_id,
        -- Of a clan that has ended since, the last to be joined says nothing of this one.
        coalesce(
            case when (last_clan_joins.joined_on < users.clan_ended_on) is not true then last_clan_joins.joined_on end,
            users.clan_since_on
        ) as in_clan_since_on,
        users.friend_count - coalesce(later_friends.friend_count, 0) as known_friend_count,
        coalesce(body_readings.weight_kg, users.weight_kg) as known_weight_kg,
        coalesce(body_readings.fat_share, users.fat_share) as known_fat_share,
        -- A source without clans says nothing about who is in one.
        as_of.as_of_date >= (
            select min(named.known_from_on) from {{ ref('int_users_versioned') }} as named
            where named.clan_id is not null
        ) as has_clans
    from {{ as_of }} as as_of
    inner join {{ ref('int_users_versioned') }} as users
        on as_of.user_id = users.user_id and {{ is_known('users', 'as_of.as_of_date') }}
    left join body_readings
        on as_of.user_id = body_readings.user_id
        and body_readings.known_on <= as_of.as_of_date
        and as_of.as_of_date < body_readings.next_on
    left join last_clan_joins
        on as_of.user_id = last_clan_joins.user_id and as_of.as_of_date = last_clan_joins.as_of_date
    left join first_clan_joins on as_of.user_id = first_clan_joins.user_id
    left join later_friends
        on as_of.user_id = later_friends.user_id and as_of.as_of_date = later_friends.as_of_date
),

profiles as (
    select
        as_of_date,
        user_id,
        registered_on,
        birth_date,
        extract(year from age(as_of_date, birth_date))::int as age_years,
        sex,
        height_cm,
        known_weight_kg as weight_kg,
        known_weight_kg / nullif(height_cm / 100, 0) ^ 2 as body_mass_index,
        known_fat_share as fat_share,
        city,
        club_id,
        work_type,
        transport,
        fitness_experience,
        goal,
        onboarding,
        has_trial,
        known_clan_id as clan_id,
        case when has_clans then known_clan_id is not null end as is_in_clan,
        case when known_clan_id is not null then in_clan_since_on end as clan_since_on,
        known_friend_count as friend_count,
        factors,
        as_of_date - registered_on as tenure_days
    from known_profiles
)
{%- endmacro %}
