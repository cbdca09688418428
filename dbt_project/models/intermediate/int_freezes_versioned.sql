{{ config(indexes=[{'columns': ['hp_id']}], post_hook="{{ analyzed() }}") }}

with versions as (
    select * from {{ ref('stg_freezes__versions') }}
),

-- Read in place where it is used: hardly any pass is asked for its days.
passes as not materialized (
    select * from {{ ref('stg_hero_passes__versions') }}
),

ranged as (
    {{ known_ranges('versions', 'freezes') }}
),

documents as (
    select
        hp_id,
        case when bool_and(ends_on is not null) then sum(greatest(ends_on - starts_on + 1, 0))::int end as freeze_days
    from versions
    group by hp_id
),

-- A subscription that renews itself is one document and many passes: hp_id, hp_id:2, hp_id:3.
periods as (
    select
        documents.hp_id as document_hp_id,
        passes.hp_id,
        min(passes.starts_on) as starts_on,
        max(passes.ends_on) + min(documents.freeze_days) as covers_at_most_until_on
    from documents
    inner join passes as second_periods
        on documents.hp_id || ':2' = second_periods.hp_id
        -- Says no more than the line above, of hardly any pass and at once.
        and second_periods.hp_id like '%:2'
    inner join passes
        on second_periods.user_id = passes.user_id
        and (passes.hp_id = documents.hp_id or starts_with(passes.hp_id, documents.hp_id || ':'))
    group by documents.hp_id, passes.hp_id
),

-- Of several versions of one day only the last is ever the one that is known. A tombstone ends the one before. A freeze
-- stands at every period that it may touch: which of them it stops is for the exposure clock to say.
final as (
    select
        ranged.source_id,
        ranged.event_at,
        ranged.known_at,
        ranged.is_deleted,
        ranged.freeze_id,
        coalesce(periods.hp_id, ranged.hp_id) as hp_id,
        ranged.requested_at,
        ranged.requested_on,
        ranged.starts_at,
        ranged.starts_on,
        ranged.ends_at,
        ranged.ends_on,
        ranged.cancelled_at,
        ranged.called_off_on,
        ranged.called_off_end_on,
        ranged.known_from_on,
        ranged.known_until_on
    from ranged
    left join periods
        on ranged.hp_id = periods.document_hp_id
        and (ranged.ends_on < periods.starts_on) is not true
        and (periods.covers_at_most_until_on < ranged.starts_on) is not true
    where ranged.known_from_on < ranged.known_until_on and ranged.is_deleted is not true
)

select * from final
