{{ config(indexes=[{'columns': ['user_id']}], post_hook="{{ analyzed() }}") }}

-- A person whose document is deleted keeps the last profile: the passes and visits have still been.
with versions as (
    select * from {{ ref('stg_users__versions') }}
    where is_deleted is not true
),

ranged as (
    {{ known_ranges('versions') }}
),

-- Of several versions of one day only the last is ever the one that is known.
final as (
    select * from ranged
    where known_from_on < known_until_on
)

select * from final
