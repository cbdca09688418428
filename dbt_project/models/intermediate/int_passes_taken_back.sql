{{ config(post_hook="{{ analyzed() }}") }}

{#- A cancellation that is a document of its own takes back what is left of the passes that were bought before it. -#}

-- All versions of a document, be some of them another member's: one ends where the next begins.
with versions as (
    select * from {{ ref('stg_hero_passes__versions') }}
    where source_id in (
        select theirs.source_id from {{ ref('stg_hero_passes__versions') }} as theirs
        where theirs.user_id in (select user_id from {{ ref('stg_hero_passes__versions') }} where is_cancellation)
    )
),

ranged as (
    {{ known_ranges('versions', 'hero_passes') }}
),

known as (
    select * from ranged
    where known_from_on < known_until_on and is_deleted is not true
),

cancelled_passes as (
    select
        passes.source_id,
        passes.hp_id,
        passes.ends_on as pass_ends_on,
        passes.known_from_on as version_from_on,
        passes.known_until_on as version_until_on,
        greatest(passes.known_from_on, cancellations.known_from_on) as from_on,
        least(passes.known_until_on, cancellations.known_until_on) as until_on,
        cancellations.ends_at,
        cancellations.ends_on,
        cancellations.cancel_reason
    from known as cancellations
    inner join known as passes
        on cancellations.user_id = passes.user_id
        and coalesce(cancellations.product = passes.product, true)
        -- Where only the day is known, what was bought and called off on one day was bought first; another product is a switch.
        and (
            cancellations.purchased_at > passes.purchased_at
            or (cancellations.purchased_at = passes.purchased_at and cancellations.product = passes.product)
        )
        and cancellations.known_from_on < passes.known_until_on
        and cancellations.known_until_on > passes.known_from_on
    where cancellations.is_cancellation and passes.is_cancellation is not true
),

-- A pass that was over by then has nothing to take back: how far it reached at most, by the freezes
-- known when it was told; of one that has changed by its longest version.
freezes_told as (
    select
        passes.source_id,
        passes.hp_id,
        passes.from_on,
        bool_or(freezes.ends_on is null) as is_open,
        max(greatest(freezes.ends_on - freezes.starts_on + 1, 0)) as most_days
    from (select distinct source_id, hp_id, from_on from cancelled_passes) as passes
    inner join {{ ref('int_freezes_versioned') }} as freezes
        on passes.hp_id = freezes.hp_id and freezes.known_from_on <= passes.from_on
    group by passes.source_id, passes.hp_id, passes.from_on, freezes.source_id
),

reaches as (
    select
        source_id,
        hp_id,
        from_on,
        bool_or(is_open) as has_open_freeze,
        sum(most_days)::int as freeze_days
    from freezes_told
    group by source_id, hp_id, from_on
),

taken_back as (
    select cancelled_passes.*
    from cancelled_passes
    left join reaches
        on cancelled_passes.source_id = reaches.source_id
        and cancelled_passes.hp_id = reaches.hp_id
        and cancelled_passes.from_on = reaches.from_on
    where reaches.has_open_freeze
        or cancelled_passes.ends_on <= cancelled_passes.pass_ends_on + coalesce(reaches.freeze_days, 0)
),

-- Where one becomes known, or is withdrawn, a version of a pass has two parts.
part_starts as (
    select source_id, version_from_on, version_until_on, version_from_on as from_on from taken_back
    union
    select source_id, version_from_on, version_until_on, from_on from taken_back
    union
    select source_id, version_from_on, version_until_on, until_on from taken_back
    where until_on < version_until_on
),

parts as (
    select
        *,
        lead(from_on, 1, version_until_on) over (partition by source_id, version_from_on order by from_on) as until_on
    from part_starts
),

-- Of several cancellations the one that takes back most.
final as (
    select distinct on (parts.source_id, parts.version_from_on, parts.from_on)
        parts.source_id,
        parts.version_from_on,
        parts.from_on,
        parts.until_on,
        taken_back.ends_at as cancelled_at,
        taken_back.ends_on as cancelled_on,
        taken_back.cancel_reason
    from parts
    left join taken_back
        on parts.source_id = taken_back.source_id
        and parts.version_from_on = taken_back.version_from_on
        and parts.from_on >= taken_back.from_on
        and parts.from_on < taken_back.until_on
    order by parts.source_id, parts.version_from_on, parts.from_on, taken_back.ends_at
)

select * from final
