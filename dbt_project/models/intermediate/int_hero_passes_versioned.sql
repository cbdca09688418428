{{ config(indexes=[{'columns': ['hp_id']}], post_hook="{{ analyzed() }}") }}

with versions as (
    select * from {{ ref('stg_hero_passes__versions') }}
),

final as (
    select * from versions
    where known_from_on < known_until_on
)

select * from final
