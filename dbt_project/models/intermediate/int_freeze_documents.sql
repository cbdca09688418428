{{ config(post_hook="{{ analyzed() }}") }}

with {{ freeze_periods() }},

period_hashes as (
    select periods.document_hp_id, sum(hash_record_extended(periods, 0)) as period_hash
    from periods
    group by periods.document_hp_id
),

final as (
    select
        versions.source_id,
        {{ landed_hash('freezes', 'versions') }} + coalesce(sum(period_hashes.period_hash), 0) as document_hash
    from {{ source('ris_raw', 'freezes') }} as versions
    left join period_hashes on versions.hp_id = period_hashes.document_hp_id
    group by versions.source_id
)

select * from final
