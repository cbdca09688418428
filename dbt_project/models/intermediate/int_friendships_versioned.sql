{{ config(indexes=[{'columns': ['user_id']}], post_hook="{{ analyzed() }}") }}

with users as (
    select * from {{ ref('int_users_versioned') }}
),

final as (
    select distinct
        users.user_id,
        friends.friend_id,
        users.known_from_on,
        users.known_until_on
    from users
    cross join unnest(users.friend_ids) as friends (friend_id)
    where friends.friend_id <> users.user_id
)

select * from final
