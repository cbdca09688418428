{{ config(indexes=[{'columns': ['hp_id']}], post_hook="{{ analyzed() }}") }}

with versions as (
    select * from {{ ref('stg_freezes__versions') }}
),

ranged as (
    {{ known_ranges('versions', 'freezes') }}
),

-- Of several versions of one day only the last is ever the one that is known. A tombstone ends the one before.
final as (
    select * from ranged
    where known_from_on < known_until_on and is_deleted is not true
)

select * from final
