{{ config(post_hook="{{ analyzed() }}") }}

{#- Whole rows are hashed, so that a column added later counts; what staging makes of them is hashed by its definition. -#}

{%- set versions = ref('stg_hero_passes__versions') %}

with freezes as (
    select freezes.hp_id, sum(hash_record_extended(row(freezes), 1)) as freeze_hash
    from {{ ref('int_freezes_versioned') }} as freezes
    group by freezes.hp_id
),

final as (
    select
        versions.user_id,
        hash_record_extended(
            row(
                sum(hash_record_extended(row(versions, freezes.freeze_hash), 2)),
                (select pg_get_viewdef('{{ versions }}'::regclass)),
                {{ went_live('hero_passes') }}
            ),
            3
        )::text as documents_hash
    from {{ source('ris_raw', 'hero_passes') }} as versions
    left join freezes on versions.hp_id = freezes.hp_id
    group by versions.user_id
)

select * from final
