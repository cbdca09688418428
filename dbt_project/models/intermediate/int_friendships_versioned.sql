{{ config(indexes=[{'columns': ['user_id']}], post_hook="{{ analyzed() }}") }}

with lists as (
    select * from {{ ref('stg_friend_lists__versions') }}
    where is_deleted is not true
),

ranged as (
    {{ known_ranges('lists', 'users') }}
),

final as (
    select distinct
        ranged.user_id,
        friends.friend_id,
        ranged.known_from_on,
        ranged.known_until_on
    from ranged
    cross join unnest(ranged.friend_ids) as friends (friend_id)
    where friends.friend_id <> ranged.user_id and ranged.known_from_on < ranged.known_until_on
)

select * from final
