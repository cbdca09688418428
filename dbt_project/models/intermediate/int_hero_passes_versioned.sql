{{ config(indexes=[{'columns': ['hp_id']}], post_hook="{{ analyzed() }}") }}

with versions as (
    select * from {{ ref('stg_hero_passes__versions') }}
),

ranged as (
    {{ known_ranges('versions', 'hero_passes') }}
),

-- Freezes of any version, known whenever: an open one has no end.
longest_freezes as (
    select
        hp_id,
        case when bool_and(ends_on is not null) then sum(greatest(ends_on - starts_on + 1, 0))::int end as freeze_days
    from {{ ref('int_freezes_versioned') }}
    group by hp_id
),

-- Of several versions of one day only the last is ever the one that is known. A tombstone ends the one before.
final as (
    select
        ranged.*,
        case
            when longest_freezes.hp_id is null then ranged.ends_on
            else coalesce(ranged.ends_on + longest_freezes.freeze_days, date '9999-12-31')
        end as covers_at_most_until_on
    from ranged
    left join longest_freezes on ranged.hp_id = longest_freezes.hp_id
    where known_from_on < known_until_on and is_deleted is not true
)

select * from final
