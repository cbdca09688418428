{{ config(indexes=[{'columns': ['user_id']}], pre_hook="{{ only_hash_joins() }}", post_hook="{{ analyzed() }}") }}

with lists as (
    select *, {{ is_history('users') }} as is_history
    from {{ ref('stg_friend_lists__versions') }}
    where is_deleted is not true
),

ranged as (
    {{ known_ranges('lists', 'users') }}
),

-- One of the two adds the other.
added as (
    select user_id, friend_id, known_on from {{ ref('int_friends_added') }}
    union all
    select friend_id, user_id, known_on from {{ ref('int_friends_added') }}
),

first_added as (
    select user_id, friend_id, min(known_on) as added_on
    from added
    where {{ is_of_history('known_on', 'users') }}
    group by user_id, friend_id
),

-- Who was in the list when RIS went live has been a friend since the day on which one added the other, where that is told.
friends as (
    select distinct
        ranged.user_id,
        friends.friend_id,
        ranged.known_from_on as listed_from_on,
        case
            when ranged.is_history then greatest(ranged.known_from_on, first_added.added_on) else ranged.known_from_on
        end as known_from_on,
        ranged.known_until_on
    from ranged
    cross join unnest(ranged.friend_ids) as friends (friend_id)
    left join first_added on ranged.user_id = first_added.user_id and friends.friend_id = first_added.friend_id
    where friends.friend_id <> ranged.user_id
),

final as (
    select * from friends
    where known_from_on < known_until_on
)

select * from final
