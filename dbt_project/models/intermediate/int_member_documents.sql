{{ config(post_hook="{{ analyzed() }}") }}

with freezes as (
    select hp_id, sum(document_hash) as freeze_hash
    from {{ ref('int_freezes_versioned') }}
    group by hp_id
),

final as (
    select
        versions.user_id,
        ({{ landed_hash('hero_passes', 'versions') }} + coalesce(sum(freezes.freeze_hash), 0))::text as documents_hash
    from {{ source('ris_raw', 'hero_passes') }} as versions
    left join freezes on versions.hp_id = freezes.hp_id
    group by versions.user_id
)

select * from final
