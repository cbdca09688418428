{{ config(indexes=[{'columns': ['spell_id']}], post_hook="{{ analyzed() }}") }}

with passes as (
    select * from {{ ref('core_hp_period') }}
    where has_coverage
),

pass_versions as (
    select
        hp_id,
        sum(hash_record_extended(
            row(user_id, starts_on, ends_on, cancelled_on, payment_status, known_from_on, known_until_on), 1
        )) as version_hash
    from {{ ref('int_hero_passes_versioned') }}
    group by hp_id
),

freeze_versions as (
    select
        hp_id,
        sum(hash_record_extended(
            row(starts_on, ends_on, called_off_on, called_off_end_on, known_from_on, known_until_on), 2
        )) as freeze_hash
    from {{ ref('int_freezes_versioned') }}
    group by hp_id
),

counted_freezes as (
    select hp_id, sum(hash_record_extended(row(frozen_from_on, frozen_to_on), 3)) as counted_hash
    from {{ ref('int_pass_freezes_counted') }}
    group by hp_id
),

final as (
    select
        passes.spell_id,
        sum(hash_record_extended(
            row(
                passes.user_id,
                passes.hp_id,
                passes.spell_starts_on,
                passes.starts_on,
                passes.hp_end_corrected,
                passes.renewed_on,
                pass_versions.version_hash,
                freeze_versions.freeze_hash,
                counted_freezes.counted_hash,
                {{ var('grace_days') }}
            ),
            4
        ))::text as spell_hash
    from passes
    left join pass_versions on passes.hp_id = pass_versions.hp_id
    left join freeze_versions on passes.hp_id = freeze_versions.hp_id
    left join counted_freezes on passes.hp_id = counted_freezes.hp_id
    group by passes.spell_id
)

select * from final
